/** What the kernel keeps in step with the page, and the messages that go both ways. */
import type { Card } from "../generated/wire";

export interface State {
  cards: readonly Card[];
  beat: number;
  notice: string;
  only: string;
}

/** The part of anywidget's model that the panel uses. */
export interface Model {
  get<K extends keyof State>(key: K): State[K];
  on(event: string, handler: (...args: never[]) => void): void;
  off(event: string, handler: (...args: never[]) => void): void;
  send(content: ToKernel): void;
}

export type Verb = "stop" | "restart" | "start" | "rm";

export type ToKernel =
  | { t: "here" }
  | { t: "log"; name: string; generation: number | null; offset: number | null }
  | { t: "close"; name: string }
  | { t: "do"; id: string; verb: Verb; name: string };

export interface LogMessage {
  t: "log";
  name: string;
  generation: number;
  reset: boolean;
  offset: number;
  next: number;
  trimmed: number;
  text: string;
}

export type Item =
  | LogMessage
  | { t: "ack"; id: string }
  | { t: "done"; id: string; error?: readonly string[] };

/** The kernel says at most ten things a second: what came up meanwhile comes together. */
export interface FromKernel {
  t: "batch";
  items: readonly Item[];
}
