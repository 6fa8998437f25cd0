/** A window onto a drawing: dragged with the pointer, zoomed with the wheel or two fingers, moved with the keys. */
import type { Place } from "./layout";

const CLOSEST = 2;
const FARTHEST = 0.08;
const STEP = 1.25;
const PAN_PX = 60;
const MARGIN_PX = 16;

export class View {
  private x = 0;
  private y = 0;
  private scale = 1;
  private readonly fingers = new Map<number, Place>();
  private dragged = 0;

  constructor(
    private readonly frame: HTMLElement,
    private readonly drawing: SVGGElement,
    private readonly size: { width: number; height: number },
  ) {
    frame.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.onDown(event));
    frame.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel", "pointerleave"] as const) {
      frame.addEventListener(name, (event) => this.fingers.delete(event.pointerId));
    }
    frame.addEventListener("click", (event) => this.onClick(event), true);
    frame.addEventListener("dragstart", (event) => event.preventDefault());
    frame.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** The whole drawing, but never larger than life. */
  fit(): void {
    const { clientWidth, clientHeight } = this.frame;
    this.scale = this.bounded(Math.min(1, (clientWidth - 2 * MARGIN_PX) / this.size.width, (clientHeight - 2 * MARGIN_PX) / this.size.height));
    this.centre({ x: this.size.width / 2, y: this.size.height / 2 });
  }

  /** The whole when it can be read, else the neighbourhood of a point, with no room lost beyond the drawing's edges. */
  open(at: Place): void {
    this.fit();
    if (this.scale >= 0.6) return;
    this.scale = 0.85;
    const { clientWidth, clientHeight } = this.frame;
    this.centre({
      x: this.within(at.x, clientWidth, this.size.width),
      y: this.within(at.y, clientHeight, this.size.height),
    });
  }

  /** The place nearest to `at` whose window holds nothing but drawing; the middle of one that is smaller. */
  private within(at: number, window: number, drawing: number): number {
    const half = (window / 2 - MARGIN_PX) / this.scale;
    return drawing <= 2 * half ? drawing / 2 : Math.min(drawing - half, Math.max(half, at));
  }

  centre(at: Place): void {
    this.x = this.frame.clientWidth / 2 - at.x * this.scale;
    this.y = this.frame.clientHeight / 2 - at.y * this.scale;
    this.draw();
  }

  zoom(factor: number, at?: Place): void {
    const middle = at ?? { x: this.frame.clientWidth / 2, y: this.frame.clientHeight / 2 };
    const scale = this.bounded(this.scale * factor);
    this.x = middle.x - ((middle.x - this.x) * scale) / this.scale;
    this.y = middle.y - ((middle.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.draw();
  }

  closer(): void {
    this.zoom(STEP);
  }

  farther(): void {
    this.zoom(1 / STEP);
  }

  /** Moves as little as needed to have a box in the window. */
  show(box: { x: number; y: number; width: number; height: number }): void {
    const pad = 24;
    const left = box.x * this.scale + this.x;
    const top = box.y * this.scale + this.y;
    const right = left + box.width * this.scale;
    const bottom = top + box.height * this.scale;
    if (left < pad) this.x += pad - left;
    else if (right > this.frame.clientWidth - pad) this.x -= right - this.frame.clientWidth + pad;
    if (top < pad) this.y += pad - top;
    else if (bottom > this.frame.clientHeight - pad) this.y -= bottom - this.frame.clientHeight + pad;
    this.draw();
  }

  private bounded(scale: number): number {
    return Math.min(CLOSEST, Math.max(FARTHEST, scale));
  }

  private draw(): void {
    this.drawing.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
  }

  private onWheel(event: WheelEvent): void {
    event.preventDefault();
    const { left, top } = this.frame.getBoundingClientRect();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * 0.0015), { x: event.clientX - left, y: event.clientY - top });
  }

  private onDown(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.dragged = 0;
  }

  private onMove(event: PointerEvent): void {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const { left, top } = this.frame.getBoundingClientRect();
      const apart = (point: Place): number => Math.hypot(point.x - other.x, point.y - other.y);
      this.zoom(apart(now) / Math.max(1, apart(before)), { x: (now.x + other.x) / 2 - left, y: (now.y + other.y) / 2 - top });
    } else {
      this.x += now.x - before.x;
      this.y += now.y - before.y;
      this.draw();
    }
    this.dragged += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    this.fingers.set(event.pointerId, now);
  }

  /** Letting go of a drag over a box opens nothing. */
  private onClick(event: MouseEvent): void {
    if (this.dragged > 6) {
      event.preventDefault();
      event.stopPropagation();
    }
    this.dragged = 0;
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, [number, number]> = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = event.target === this.frame ? moves[event.key] : undefined;
    if (move) {
      this.x += move[0] * PAN_PX;
      this.y += move[1] * PAN_PX;
      this.draw();
    } else if (event.key === "+" || event.key === "=") this.closer();
    else if (event.key === "-") this.farther();
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }
}
