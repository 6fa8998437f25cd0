/** `<lineage-graph data-src="/api/v1/lineage/…" data-centre="id">`: what something came from (left) and what was made of
 *  it (right). Drag or arrow keys move, the wheel or + and − zoom, 0 shows all; on a box, arrows go to its neighbours. */
import { el, getJson, icon } from "../dom";
import { BOX, layout, type Layout, path, type Place } from "../lineage/layout";
import { View } from "../lineage/view";
import { t } from "../words";

interface Node {
  id: string;
  type: string;
  label: string;
  name: string;
  icon: string;
  url: string;
  graph: string;
  state: string;
  state_label: string;
  job: string | null;
  stale: { parent: string; newest: string }[];
  dead_end: boolean;
  column: number;
}

interface Edge {
  parent: string;
  child: string;
  role: string;
}

interface Graph {
  nodes: Node[];
  edges: Edge[];
  jobs: { id: string; name: string }[];
}

const SVG = "http://www.w3.org/2000/svg";
const NARROW = "(max-width: 639px)";
const PAD = 12;

function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string | number>, ...children: Element[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

const ruler = document.createElement("canvas").getContext("2d")!;

/** As much of a text as fits, the end of it kept: versions stand there. */
function fitted(text: string, width: number, font: string): string {
  ruler.font = font;
  if (ruler.measureText(text).width <= width) return text;
  const end = text.slice(-5);
  let start = text.slice(0, -5);
  while (start && ruler.measureText(`${start}…${end}`).width > width) start = start.slice(0, -1);
  return `${start}…${end}`;
}

/** An icon inside the drawing: there a size is an attribute, and the picture needs its own. */
function sign(name: string, x: number, look = ""): SVGSVGElement {
  const made = icon(name, look);
  for (const [key, value] of Object.entries({ x, y: 10, width: 16, height: 16, viewBox: "0 0 24 24" })) made.setAttribute(key, String(value));
  return made;
}

class LineageGraph extends HTMLElement {
  private graph: Graph = { nodes: [], edges: [], jobs: [] };
  private boxes = new Map<string, SVGAElement>();
  private lines: SVGPathElement[] = [];
  private drawn?: Layout;
  private view?: View;
  private readonly drawing = svg("g", {});
  private readonly frame = el("div", {
    class: "lineage-frame",
    tabindex: 0,
    role: "region",
    "aria-label": t("Graph: arrow keys move it, plus and minus zoom, zero shows all"),
  });

  connectedCallback(): void {
    if (matchMedia(NARROW).matches) this.parentElement?.querySelector("details")?.setAttribute("open", "");
    void this.start();
  }

  private async start(): Promise<void> {
    try {
      this.graph = await getJson<Graph>(this.dataset.src ?? "");
    } catch (error) {
      this.replaceChildren(el("p", { class: "notice", "data-tone": "bad", role: "alert" }, (error as Error).message));
      return;
    }
    this.drawn = layout(this.graph.nodes, this.graph.edges);
    this.paint(this.drawn);
    const { width, height } = this.drawn;
    this.frame.append(svg("svg", { class: "size-full", role: "group", "aria-label": t("Lineage") }, this.drawing));
    this.frame.style.setProperty("--needed", `${Math.ceil(height) + 48}px`);
    this.replaceChildren(this.bar(), this.frame);
    this.view = new View(this.frame, this.drawing, { width, height });
    this.view.open(this.middle(this.dataset.centre ?? ""));
    this.frame.addEventListener("keydown", (event) => this.onKey(event), true);
  }

  private bar(): HTMLElement {
    const button = (name: string, label: string, act: () => void): HTMLElement => {
      const made = el("button", { type: "button", class: "btn btn-sm btn-ghost", "aria-label": label, title: label }, icon(name));
      made.addEventListener("click", act);
      return made;
    };
    const count = t("{nodes} artefacts, {edges} links", { nodes: this.graph.nodes.length, edges: this.graph.edges.length });
    return el(
      "div",
      { class: "lineage-bar" },
      el("span", { class: "hint flex-1" }, count),
      button("zoom-out", t("Zoom out"), () => this.view?.farther()),
      button("zoom-in", t("Zoom in"), () => this.view?.closer()),
      button("maximize", t("Show all"), () => this.view?.fit()),
    );
  }

  private middle(id: string): Place {
    const at = this.drawn?.places.get(id) ?? { x: 0, y: 0 };
    return { x: at.x + BOX.width / 2, y: at.y + BOX.height / 2 };
  }

  private paint(drawn: Layout): void {
    const jobs = new Map(this.graph.jobs.map((job) => [job.id, job.name]));
    this.lines = drawn.lines.map((points) => svg("path", { class: "lineage-line", d: path(points) }));
    const ordered = [...this.graph.nodes].sort((a, b) => {
      const [one, other] = [drawn.places.get(a.id)!, drawn.places.get(b.id)!];
      return one.x - other.x || one.y - other.y;
    });
    for (const node of ordered) this.boxes.set(node.id, this.box(node, drawn.places.get(node.id)!, jobs.get(node.job ?? "") ?? ""));
    this.drawing.append(...this.lines, ...this.boxes.values());
  }

  private box(node: Node, at: Place, job: string): SVGAElement {
    const notes = [
      ...node.stale.map((old) => t("{newest} is newer than {parent}", { ...old })),
      ...(node.dead_end ? [t("Nothing was made of it yet")] : []),
      ...(job ? [t("Made by {job}", { job })] : []),
    ];
    const words = [node.label, node.name, node.state_label, ...notes].filter(Boolean).join(" · ");
    const picture = sign(node.icon, PAD);
    const room = BOX.width - 2 * PAD;
    const parts: Element[] = [
      svg("title", {}),
      svg("rect", { width: BOX.width, height: BOX.height, rx: 10 }),
      picture,
      this.text(fitted(node.label, room - 64, "11px system-ui"), PAD + 22, 22, "lineage-type"),
      this.text(fitted(node.name, room, "600 13px system-ui"), PAD, 42, "lineage-name"),
      this.text(fitted(node.state_label || (job ? t("by {job}", { job }) : ""), room, "11px system-ui"), PAD, 57, "lineage-type"),
    ];
    parts[0]!.textContent = words;
    let right = BOX.width - PAD - 16;
    for (const mark of [node.stale.length ? "triangle-alert" : "", node.dead_end ? "circle-dashed" : ""].filter(Boolean)) {
      parts.push(sign(mark, right, mark === "triangle-alert" ? "text-warning" : ""));
      right -= 20;
    }
    const link = svg("a", { href: node.url || node.graph, class: "lineage-box", "data-id": node.id, transform: `translate(${at.x} ${at.y})` }, ...parts);
    if (node.id === this.dataset.centre) link.setAttribute("aria-current", "true");
    for (const name of ["focus", "pointerenter"] as const) link.addEventListener(name, () => this.light(node.id));
    for (const name of ["blur", "pointerleave"] as const) link.addEventListener(name, () => this.light());
    link.addEventListener("focus", () => this.view?.show({ ...at, ...BOX }));
    return link;
  }

  private text(content: string, x: number, y: number, look: string): SVGTextElement {
    const made = svg("text", { x, y, class: look });
    made.textContent = content;
    return made;
  }

  /** All it came from and all that was made of it stands out; without an id nothing does. */
  private light(id?: string): void {
    const lit = new Set<string>();
    if (id) for (const way of ["parent", "child"] as const) this.collect(id, way, lit);
    this.toggleAttribute("data-lit", !!id);
    for (const [key, box] of this.boxes) box.toggleAttribute("data-on", lit.has(key));
    this.graph.edges.forEach((edge, index) => this.lines[index]!.toggleAttribute("data-on", lit.has(edge.parent) && lit.has(edge.child)));
  }

  private collect(id: string, way: "parent" | "child", into: Set<string>): void {
    const seen = new Set([id]);
    const waiting = [id];
    while (waiting.length) {
      const at = waiting.pop()!;
      into.add(at);
      for (const edge of this.graph.edges) {
        if (edge[way === "parent" ? "child" : "parent"] !== at || seen.has(edge[way])) continue;
        seen.add(edge[way]);
        waiting.push(edge[way]);
      }
    }
  }

  /** On a box: left and right along the lines, up and down in its column. */
  private onKey(event: KeyboardEvent): void {
    const id = (event.target as Element).closest<SVGAElement>(".lineage-box")?.dataset.id;
    if (!id || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    event.stopPropagation();
    const at = this.drawn!.places.get(id)!;
    const near = this.neighbours(id, event.key).map((other) => ({ other, place: this.drawn!.places.get(other)! }));
    near.sort((a, b) => Math.abs(a.place.y - at.y) - Math.abs(b.place.y - at.y));
    if (near[0]) this.boxes.get(near[0].other)!.focus();
  }

  private neighbours(id: string, key: string): string[] {
    if (key === "ArrowLeft") return this.graph.edges.filter((edge) => edge.child === id).map((edge) => edge.parent);
    if (key === "ArrowRight") return this.graph.edges.filter((edge) => edge.parent === id).map((edge) => edge.child);
    const at = this.drawn!.places.get(id)!;
    return [...this.drawn!.places].filter(([, place]) => place.x === at.x && (key === "ArrowUp" ? place.y < at.y : place.y > at.y)).map(([other]) => other);
  }
}

customElements.define("lineage-graph", LineageGraph);
