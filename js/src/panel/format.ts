/** Numbers and states as a person reads them. Pure. */
import type { Card, Light } from "../generated/wire";
import type { Verb } from "./model";

export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export function cores(value: number): string {
  return `${Math.round(value * 100)} %`;
}

/** The light in a word; the colour and the shape say the same. */
export function lightWord(light: Light): string {
  switch (light) {
    case "healthy":
      return "Healthy";
    case "starting":
      return "Starting";
    case "unhealthy":
      return "Unhealthy";
    case "failed":
      return "Failed";
    case "stopped":
      return "Stopped";
    case "unknown":
      return "Unknown";
  }
}

/** The state in a word, beside the light. */
export function word(card: Card): string {
  if (card.state === "stopping") return "Stopping";
  if (card.state === "backoff") return "Restarting";
  return lightWord(card.light);
}

/** In the order of the buttons. */
export const VERBS: readonly Verb[] = ["start", "restart", "stop", "rm"];

/** What the buttons offer; the kernel still decides whether it may. */
export function verbs(card: Card): readonly Verb[] {
  if (card.state === "stopping") return [];
  return card.alive ? ["restart", "stop"] : ["start", "rm"];
}

export function verbWord(verb: Verb): string {
  switch (verb) {
    case "stop":
      return "Stop";
    case "restart":
      return "Restart";
    case "start":
      return "Start";
    case "rm":
      return "Forget";
  }
}

/** What is said until the kernel has answered. */
export function doing(verb: Verb): string {
  switch (verb) {
    case "stop":
      return "Stopping …";
    case "restart":
      return "Restarting …";
    case "start":
      return "Starting …";
    case "rm":
      return "Forgetting …";
  }
}

/** What would be lost, when a click deserves a second one. */
export function warning(verb: Verb, card: Card): string | null {
  switch (verb) {
    case "stop":
      return card.state === "running" ? "Stop it? The model is unloaded." : null;
    case "restart":
      return card.state === "running" ? "Restart it? Requests under way are lost." : null;
    case "rm":
      return "Forget it and delete its logs?";
    case "start":
      return null;
  }
}

/** How the card tells its state in one line. */
export function headline(card: Card, now: number): string {
  if (card.state === "backoff" && card.next_restart_at !== null)
    return `restarts in ${duration(card.next_restart_at - now)} (restart ${card.restarts + 1})`;
  if (card.state === "starting") return card.phase ?? "starting";
  if (card.state === "running") return card.health;
  return card.reason;
}

/** An SVG path through `values`, scaled to the box; empty for fewer than two. */
export function sparkline(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return "";
  const top = Math.max(...values, 1e-9);
  const step = width / (values.length - 1);
  const at = (value: number, index: number) =>
    `${(index * step).toFixed(1)} ${(height - 1 - (value / top) * (height - 2)).toFixed(1)}`;
  return `M${values.map(at).join("L")}`;
}
