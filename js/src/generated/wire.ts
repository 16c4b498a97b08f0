// Generated from las_jupyter/widgets/wire.py; do not edit.

export type Light = "healthy" | "starting" | "unhealthy" | "failed" | "stopped" | "unknown";

export interface Reason {
  readonly subject: string;
  readonly choice: string;
  readonly reason: string;
}

export interface Card {
  readonly name: string;
  readonly module: string;
  readonly mode: string;
  readonly backend: string;
  readonly state: string;
  readonly alive: boolean;
  readonly light: Light;
  readonly reason: string;
  readonly health: string;
  readonly phase: string | null;
  readonly progress: number | null;
  readonly model: string | null;
  readonly url: string | null;
  readonly pid: number | null;
  readonly container: string | null;
  readonly image: string | null;
  readonly generation: number;
  readonly started_at: number | null;
  readonly ready_at: number | null;
  readonly restarts: number;
  readonly next_restart_at: number | null;
  readonly lifetime: string;
  readonly supervised: boolean;
  readonly warnings: readonly string[];
  readonly limits: readonly string[];
  readonly decisions: readonly Reason[];
  readonly cause: string | null;
  readonly remedy: string | null;
  readonly memory: number | null;
  readonly cpu: number | null;
  readonly vram: number | null;
  readonly memory_history: readonly number[];
  readonly cpu_history: readonly number[];
}
