// Generated from las_jupyter/widgets and las_jupyter/core/light.py; do not edit.

export const LIGHTS = ["healthy", "starting", "unhealthy", "failed", "stopped", "unknown"] as const;
export type Light = (typeof LIGHTS)[number];

export const VERBS = ["start", "restart", "stop", "rm"] as const;
export type Verb = (typeof VERBS)[number];

export interface Offer {
  readonly verb: Verb;
  readonly label: string;
  readonly doing: string;
  readonly confirm: string | null;
}

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
  readonly word: string;
  readonly headline: string;
  readonly offers: readonly Offer[];
  readonly reason: string;
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

export interface Here {
  readonly t: "here";
}

export interface OpenLog {
  readonly name: string;
  readonly generation: number | null;
  readonly offset: number | null;
  readonly t: "log";
}

export interface CloseLog {
  readonly name: string;
  readonly t: "close";
}

export interface Order {
  readonly id: string;
  readonly verb: Verb;
  readonly name: string;
  readonly t: "do";
}

export interface LogPiece {
  readonly name: string;
  readonly generation: number;
  readonly reset: boolean;
  readonly offset: number;
  readonly next: number;
  readonly trimmed: number;
  readonly text: string;
  readonly t: "log";
}

export interface Ack {
  readonly id: string;
  readonly t: "ack";
}

export interface Done {
  readonly id: string;
  readonly error: readonly string[] | null;
  readonly t: "done";
}

export interface Batch {
  readonly items: readonly (LogPiece | Ack | Done)[];
  readonly t: "batch";
}

export type FromPage = Here | OpenLog | CloseLog | Order;

export type Item = LogPiece | Ack | Done;
