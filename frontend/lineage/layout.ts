/** Places of a graph that flows from left to right. The server says the column of each node; here they get their order
 *  in it, so that few lines cross (barycentres, swept both ways), and a place in pixels. */

export interface GraphNode {
  id: string;
  column: number;
}

export interface GraphEdge {
  parent: string;
  child: string;
}

export interface Place {
  x: number;
  y: number;
}

export interface Layout {
  places: Map<string, Place>;
  /** Points of each edge, in the order of the edges: right side of the parent, turns, left side of the child. */
  lines: Place[][];
  width: number;
  height: number;
}

export const BOX = { width: 216, height: 66 };
const GAP = { x: 72, y: 18 };
const TURN_HEIGHT = 12;
const SWEEPS = 8;

interface Slot {
  key: string;
  height: number;
  before: Slot[];
  after: Slot[];
  y: number;
  order: number;
}

export function layout(nodes: GraphNode[], edges: GraphEdge[]): Layout {
  const columns: Slot[][] = [];
  const slots = new Map<string, Slot>();
  const put = (key: string, column: number, height: number): Slot => {
    const slot: Slot = { key, height, before: [], after: [], y: 0, order: 0 };
    (columns[column] ??= []).push(slot);
    slots.set(key, slot);
    return slot;
  };
  for (const node of nodes) put(node.id, node.column, BOX.height);
  const columnOf = new Map(nodes.map((node) => [node.id, node.column]));
  const ways = edges.map((edge, index) => route(edge, index, columnOf, slots, put));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) sort(columns, sweep % 2 === 0);
  place(columns);
  return finish(columns, ways, slots, nodes);
}

/** A long line passes through a slot of its own in every column between, so that it runs around the boxes. */
function route(
  edge: GraphEdge,
  index: number,
  columnOf: Map<string, number>,
  slots: Map<string, Slot>,
  put: (key: string, column: number, height: number) => Slot,
): Slot[] {
  const way = [slots.get(edge.parent)!];
  for (let column = columnOf.get(edge.parent)! + 1; column < columnOf.get(edge.child)!; column += 1) {
    way.push(put(`${index}/${column}`, column, TURN_HEIGHT));
  }
  way.push(slots.get(edge.child)!);
  for (let at = 1; at < way.length; at += 1) {
    way[at]!.before.push(way[at - 1]!);
    way[at - 1]!.after.push(way[at]!);
  }
  return way;
}

function sort(columns: Slot[][], forwards: boolean): void {
  columns.forEach((column) => column.forEach((slot, order) => (slot.order = order)));
  const walk = forwards ? columns : [...columns].reverse();
  for (const column of walk) {
    const wish = new Map(column.map((slot) => [slot, mean(forwards ? slot.before : slot.after) ?? slot.order]));
    column.sort((a, b) => wish.get(a)! - wish.get(b)! || a.order - b.order);
    column.forEach((slot, order) => (slot.order = order));
  }
}

function mean(near: Slot[]): number | undefined {
  return near.length ? near.reduce((sum, slot) => sum + slot.order, 0) / near.length : undefined;
}

/** Every slot goes to the middle of its neighbours as far as those above it leave room; columns stand centred. */
function place(columns: Slot[][]): void {
  const tall = (column: Slot[]): number => column.reduce((sum, slot) => sum + slot.height + GAP.y, -GAP.y);
  const tallest = Math.max(...columns.map(tall));
  for (const column of columns) {
    let y = (tallest - tall(column)) / 2;
    for (const slot of column) {
      slot.y = y;
      y += slot.height + GAP.y;
    }
  }
}

function finish(columns: Slot[][], ways: Slot[][], slots: Map<string, Slot>, nodes: GraphNode[]): Layout {
  const left = new Map<Slot, number>();
  columns.forEach((column, index) => column.forEach((slot) => left.set(slot, index * (BOX.width + GAP.x))));
  const middle = (slot: Slot): number => slot.y + slot.height / 2;
  const lines = ways.map((way) =>
    way.flatMap((slot, index) => {
      const x = left.get(slot)!;
      const points: Place[] = [];
      if (index > 0) points.push({ x, y: middle(slot) });
      if (index < way.length - 1) points.push({ x: x + BOX.width, y: middle(slot) });
      return points;
    }),
  );
  const places = new Map(nodes.map((node) => [node.id, { x: left.get(slots.get(node.id)!)!, y: slots.get(node.id)!.y }]));
  const bottom = Math.max(...[...slots.values()].map((slot) => slot.y + slot.height));
  return { places, lines, width: columns.length * (BOX.width + GAP.x) - GAP.x, height: bottom };
}

/** Curves from side to side, straight through the columns that it passes. */
export function path(points: Place[]): string {
  let d = `M${points[0]!.x} ${points[0]!.y}`;
  for (let at = 1; at < points.length; at += 1) {
    const from = points[at - 1]!;
    const to = points[at]!;
    const half = (from.x + to.x) / 2;
    d += at % 2 ? ` C${half} ${from.y} ${half} ${to.y} ${to.x} ${to.y}` : ` L${to.x} ${to.y}`;
  }
  return d;
}
