/** One number with its name and, where there is a history, its line. */
import { line, make, setText } from "./dom";
import { sparkline } from "./format";

const WIDTH = 84;
const HEIGHT = 20;

export class Figure {
  readonly element = make("div", "las-use");
  private readonly value = make("span", "las-figure");
  private readonly line: ReturnType<typeof line> | null;

  constructor(label: string, history: string | null) {
    this.element.append(make("span", "las-dim", label), this.value);
    this.line = history === null ? null : line(WIDTH, HEIGHT, history);
    if (this.line) this.element.append(this.line.svg);
  }

  show(value: string | null, history: readonly number[]): void {
    this.element.hidden = value === null;
    setText(this.value, value ?? "");
    if (!this.line) return;
    const path = sparkline(history, WIDTH, HEIGHT);
    this.line.path.setAttribute("d", path);
    this.line.area.setAttribute("d", path === "" ? "" : `${path}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
  }
}
