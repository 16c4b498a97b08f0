/** What the kernel keeps in step with the page, and the part of its model that the panel uses. */
import type { Card, FromPage } from "../generated/wire";

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
  send(content: FromPage): void;
}
