// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import type { Card, FromPage, Item, LogPiece, Offer } from "../generated/wire";
import panel from "./index";
import type { Model, State } from "./model";

const offer = (verb: Offer["verb"], label: string, doing: string, confirm: string | null = null): Offer => ({
  verb,
  label,
  doing,
  confirm,
});
const WHILE_IT_RUNS = [
  offer("restart", "Restart", "Restarting …", "Restart it?"),
  offer("stop", "Stop", "Stopping …", "Stop it?"),
];
const WHEN_ENDED = [
  offer("start", "Start", "Starting …"),
  offer("rm", "Forget", "Forgetting …", "Forget it and delete its logs?"),
];

function card(changes: Partial<Card> = {}): Card {
  const light = changes.light ?? "healthy";
  return {
    name: "chat",
    module: "llama.cpp",
    mode: "native",
    backend: "native",
    state: "running",
    alive: true,
    light,
    word: light[0]?.toUpperCase() + light.slice(1),
    headline: changes.reason ?? "/health answers 200",
    offers: changes.alive === false ? WHEN_ENDED : WHILE_IT_RUNS,
    reason: "ready after 1 s",
    progress: null,
    model: "m",
    url: "http://127.0.0.1:8080",
    pid: 7,
    container: null,
    image: null,
    generation: 1,
    started_at: 1,
    ready_at: 2,
    restarts: 0,
    next_restart_at: null,
    lifetime: "detached",
    supervised: true,
    warnings: [],
    limits: [],
    decisions: [{ subject: "mode", choice: "native", reason: "the manifest prefers it" }],
    cause: null,
    remedy: null,
    vram: null,
    memory: 1024,
    cpu: 0.5,
    memory_history: [1, 2],
    cpu_history: [0.1, 0.5],
    ...changes,
  };
}

class Kernel implements Model {
  state: State = { cards: [], beat: 0, notice: "", only: "" };
  heard: FromPage[] = [];
  private handlers = new Map<string, Set<(...args: never[]) => void>>();
  get<K extends keyof State>(key: K): State[K] {
    return this.state[key];
  }
  on(event: string, handler: (...args: never[]) => void) {
    this.handlers.set(event, (this.handlers.get(event) ?? new Set()).add(handler));
  }
  off(event: string, handler: (...args: never[]) => void) {
    this.handlers.get(event)?.delete(handler);
  }
  send(content: FromPage) {
    this.heard.push(content);
  }
  fire(event: string, ...args: unknown[]) {
    for (const handler of this.handlers.get(event) ?? []) handler(...(args as never[]));
  }
  show(...cards: Card[]) {
    this.state.cards = cards;
    this.fire("change:cards");
  }
  say(...items: Item[]) {
    this.fire("msg:custom", { t: "batch", items });
  }
  /** The last thing that a button asked for. */
  get asked() {
    return this.heard.filter((each) => each.t === "do").at(-1);
  }
  get listeners() {
    return [...this.handlers.values()].reduce((sum, each) => sum + each.size, 0);
  }
}

function log(text: string, changes: Partial<LogPiece> = {}): LogPiece {
  return {
    t: "log",
    name: "chat",
    generation: 1,
    reset: true,
    offset: 0,
    next: text.length,
    trimmed: 0,
    text,
    ...changes,
  };
}

let kernel: Kernel;
let el: HTMLElement;
let undo: () => void;
const $ = <T extends HTMLElement>(selector: string) => el.querySelector<T>(selector);
const click = (testid: string) => $(`[data-testid="${testid}"]`)?.click();

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new Kernel();
  el = document.createElement("div");
  document.body.replaceChildren(el);
  undo = panel.render({ model: kernel, el });
});

test("a running instance is a card with its light as a word, a shape and a colour", () => {
  kernel.show(card());

  expect($(".las-word")?.textContent).toBe("Healthy");
  expect($(".las-light")?.dataset.light).toBe("healthy");
});

test("while its image is fetched a bar says how much of it is here, and nothing else does afterwards", () => {
  const headline = "pulling image:1: 3 of 7 layers, 420.0 MiB of 1.9 GiB";
  const starting = { state: "starting", light: "starting", headline, pid: null } as const;
  const bar = () => $<HTMLProgressElement>("progress");
  kernel.show(card({ ...starting, progress: null }));
  expect(bar()?.hidden).toBe(true);
  kernel.show(card({ ...starting, progress: 0.25 }));

  expect(bar()?.hidden).toBe(false);
  expect(bar()?.value).toBe(0.25);
  expect($(".las-line")?.textContent).toContain("3 of 7 layers");
  kernel.show(card({ image: "image@sha256:1" }));
  expect(bar()?.hidden).toBe(true);
  expect($(".las-reasons")?.textContent).toContain("image@sha256:1");
});

test("a card that goes away takes its log with it", () => {
  kernel.show(card());
  kernel.show();

  expect($(".las-card")).toBeNull();
  expect(kernel.heard).toContainEqual({ t: "close", name: "chat" });
});

test("stop asks once more, because a loaded model is lost by it", () => {
  kernel.show(card());
  click("stop");
  expect(kernel.heard.filter((each) => each.t === "do")).toEqual([]);
  click("confirm");

  expect(kernel.asked).toMatchObject({ verb: "stop", name: "chat" });
});

test("a click that a busy kernel does not acknowledge is shown as queued", () => {
  kernel.show(card({ state: "failed", alive: false, light: "failed" }));
  click("start");
  expect($(".las-told")?.textContent).toContain("queued");
  vi.advanceTimersByTime(1500);

  expect($(".las-told")?.textContent).toContain("the kernel is busy");
  expect($(".las-told")?.textContent).toContain("las-jupyter restart chat");
});

test("an acknowledged click is no longer called queued", () => {
  kernel.show(card({ state: "failed", alive: false, light: "failed" }));
  click("start");
  kernel.say({ t: "ack", id: kernel.asked?.id ?? "" });
  vi.advanceTimersByTime(1500);

  expect($(".las-told")?.textContent).toBe("Starting …");
});

test("another view's answers are not taken for ours", () => {
  kernel.show(card({ state: "failed", alive: false, light: "failed" }));
  click("start");
  kernel.say({ t: "done", id: "other-1", error: ["not ours"] });

  expect($(".las-told")?.textContent).toContain("queued");
});

test("a second click waits for the answer to the first", () => {
  kernel.show(card({ state: "failed", alive: false, light: "failed" }));
  click("start");
  click("start");

  expect(kernel.heard.filter((each) => each.t === "do").length).toBe(1);
});

test("focus stays on a button while the state changes around it", () => {
  kernel.show(card({ state: "starting", light: "starting" }));
  $<HTMLButtonElement>('[data-testid="stop"]')?.focus();
  kernel.show(card());
  kernel.show(card({ light: "unhealthy" }));

  expect((document.activeElement as HTMLElement).dataset.testid).toBe("stop");
});

test("focus goes on to the next offer when its button is taken away", () => {
  kernel.show(card());
  $<HTMLButtonElement>('[data-testid="stop"]')?.focus();
  kernel.show(card({ state: "stopped", alive: false, light: "stopped" }));

  expect((document.activeElement as HTMLElement).dataset.testid).toBe("start");
});

test("escape takes the question back", () => {
  kernel.show(card());
  click("stop");
  $(".las-buttons")?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));

  expect($('[data-testid="confirm"]')?.hidden).toBe(true);
  expect((document.activeElement as HTMLElement).dataset.testid).toBe("stop");
});

test("a failed start shows its cause and the next step as text", () => {
  kernel.show(
    card({ state: "failed", alive: false, light: "failed", cause: "<b>full</b>", remedy: "%las doctor" }),
  );

  expect($(".las-cause")?.textContent).toBe("<b>full</b>");
  expect($(".las-remedy code")?.textContent).toBe("%las doctor");
});

test("the log of a stopped server is folded, and read only when it is unfolded", () => {
  kernel.show(card({ state: "stopped", alive: false, light: "stopped" }));
  expect(kernel.heard.filter((each) => each.t === "log")).toEqual([]);
  click("log");

  expect(kernel.heard.filter((each) => each.t === "log").length).toBe(1);
});

test("changes are told to a screen reader no faster than one in two seconds, and none is lost", () => {
  kernel.show(card());
  kernel.show(card({ light: "unhealthy" }));
  kernel.show(card({ light: "healthy" }));
  kernel.show(card({ light: "failed", state: "failed", alive: false, reason: "it crashed" }));
  expect($('[role="status"]')?.textContent).toContain("Unhealthy");
  vi.advanceTimersByTime(2100);

  expect($('[role="status"]')?.textContent).toContain("it crashed");
});

test("an error of the kernel is drawn in the card, word for word", () => {
  kernel.show(card({ state: "failed", alive: false, light: "failed" }));
  click("start");
  kernel.say({ t: "done", id: kernel.asked?.id ?? "", error: ["LaunchFailed: no", "→ <b>try</b>"] });

  expect($(".las-told")?.textContent).toBe("LaunchFailed: no\n→ <b>try</b>");
  expect($(".las-told b")).toBeNull();
});

test("every focusable element keeps JupyterLab's shortcuts away", () => {
  kernel.show(card());
  const focusable = el.querySelectorAll("button, input, summary, [tabindex]");

  expect(focusable.length).toBeGreaterThan(5);
  for (const each of focusable) expect(each.getAttribute("data-lm-suppress-shortcuts")).toBe("true");
});

test("log text is text, whatever it holds", async () => {
  kernel.show(card());
  kernel.say(log("<script>alert(1)</script>\n\u001b[31mred\u001b[0m plain\n"));
  await vi.advanceTimersByTimeAsync(50);

  expect($(".las-log-rows")?.textContent).toContain("<script>alert(1)</script>");
  expect($(".las-log-rows script")).toBeNull();
  expect($(".las-log-rows span[style]")?.textContent).toBe("red");
});

test("a gap in the log makes the page ask for a fresh beginning", () => {
  kernel.show(card());
  kernel.say(log("one\n"));
  kernel.heard = [];
  kernel.say(log("three\n", { reset: false, offset: 8, next: 14 }));

  expect(kernel.heard).toEqual([{ t: "log", name: "chat", generation: null, offset: null }]);
});

test("the filter leaves only lines that hold the words", async () => {
  kernel.show(card());
  kernel.say(log("alpha\nbeta\n"));
  const filter = $<HTMLInputElement>(".las-log-filter");
  if (filter) filter.value = "BET";
  filter?.dispatchEvent(new Event("input"));
  await vi.advanceTimersByTimeAsync(50);

  expect($(".las-log-rows")?.textContent).toBe("beta");
});

test("a kernel that falls silent greys the panel and says that the servers run on", () => {
  kernel.show(card());
  vi.advanceTimersByTime(9000);

  expect($(".las-panel")?.classList.contains("las-stale")).toBe(true);
  expect($(".las-banner")?.textContent).toContain("the servers run on");
});

test("no button can be pressed while the kernel is gone", () => {
  kernel.show(card({ state: "failed", alive: false, light: "failed" }));
  vi.advanceTimersByTime(9000);
  click("start");

  expect(kernel.asked).toBeUndefined();
  expect($('[data-testid="start"]')?.getAttribute("aria-disabled")).toBe("true");
});

test("a row that stays is the same element, so that what is selected stays selected", async () => {
  kernel.show(card());
  kernel.say(log("one\n"));
  await vi.advanceTimersByTimeAsync(50);
  const before = $(".las-log-row");
  kernel.say(log("two\n", { reset: false, offset: 4, next: 8 }));
  await vi.advanceTimersByTimeAsync(50);

  expect($(".las-log-row")).toBe(before);
  expect($(".las-log-rows")?.textContent).toBe("onetwo");
});

test("a beat of the kernel makes the panel fresh again", () => {
  vi.advanceTimersByTime(9000);
  kernel.fire("change:beat");

  expect($(".las-panel")?.classList.contains("las-stale")).toBe(false);
});

test("a view that is taken away leaves nothing behind", () => {
  kernel.show(card());
  undo();

  expect(el.children.length).toBe(0);
  expect(kernel.listeners).toBe(0);
});
