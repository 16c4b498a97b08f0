/** Numbers and times as a person reads them. Pure. */
import type { Card } from "../generated/wire";

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

/** Why it is as it is, and the time until the next restart, which runs on by itself. */
export function headline(card: Card, now: number): string {
  if (card.next_restart_at === null || card.state !== "backoff") return card.headline;
  return `in ${duration(card.next_restart_at - now)}: ${card.headline}`;
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
