/** Small pieces of DOM and HTTP that every island needs. */
import { reportStatus } from "./connection";

const PATIENCE_MS = 10_000;

type Child = Node | string | null | undefined | false;

/** Makes an element: `el("p", { class: "hint", "data-x": 1 }, "text")`. True sets a bare attribute; false and null leave it out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | boolean | null | undefined> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => !!child || child === ""));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
let spriteUrl = "";

/** An icon of `frontend/icons.json`, found through any icon the server drew. */
export function icon(name: string, size = "size-4"): SVGSVGElement {
  spriteUrl ||= document.querySelector('use[href*="#"]')?.getAttribute("href")?.split("#")[0] ?? "";
  const svg = document.createElementNS(SVG, "svg");
  const given = { fill: "none", stroke: "currentColor", "stroke-width": "1.75", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(given)) svg.setAttribute(key, value);
  svg.setAttribute("class", `${size} shrink-0`);
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${spriteUrl}#${name}`);
  svg.append(use);
  return svg;
}

/** Points an icon the server drew at another picture. */
export function setIcon(svg: Element | null | undefined, name: string): void {
  const use = svg?.querySelector("use");
  use?.setAttribute("href", `${(use.getAttribute("href") ?? "").split("#")[0]}#${name}`);
}

export const csrf = (): string => document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";

/** An error the server explained (problem+json), in the reader's language. */
export class Problem extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly fields: { field: string; message: string }[] = [],
  ) {
    super(message);
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  try {
    const body = await response.json();
    const said = body.error?.message ?? [body.detail ?? body.title, body.hint].filter(Boolean).join(" ");
    return new Problem(said || response.statusText, response.status, body.code ?? "", body.data?.errors);
  } catch {
    return new Problem(response.statusText || String(response.status), response.status, "");
  }
}

/** Says whether the server was there; a question that was called back says nothing. */
async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    const response = await fetch(url, init);
    if (!init.method) void reportStatus(response.status); // what is sent may be refused for reasons of its own
    return response;
  } catch (error) {
    if ((error as Error).name !== "AbortError") void reportStatus(0);
    throw error;
  }
}

/** JSON that a page asks for by itself, again and again: no answer in time is as good as none. */
export const pollJson = <T>(url: string): Promise<T> => getJson<T>(url, { signal: AbortSignal.timeout(PATIENCE_MS) });

/** JSON from our own server. Throws a Problem for anything but success. */
export async function getJson<T>(url: string, init: RequestInit = {}): Promise<T> {
  const headers = new Headers(init.headers);
  headers.set("Accept", "application/json");
  if (init.method && init.method !== "GET") headers.set("X-CSRFToken", csrf());
  const response = await reach(url, { ...init, headers, credentials: "same-origin" });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

/** Says a sentence in the corner; errors stay until closed. */
export function toast(text: string, tone: "good" | "bad" = "good"): void {
  const card = el(
    "div",
    { class: "notice toast-card", "data-tone": tone },
    icon(tone === "bad" ? "circle-alert" : "circle-check", ""),
    el("p", { class: "flex-1" }, text),
  );
  document.getElementById("toasts")?.append(card);
  if (tone === "good") setTimeout(() => card.remove(), 5000);
}

export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}
