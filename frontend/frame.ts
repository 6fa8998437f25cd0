/** The frame: rail, menus, theme, copy buttons, rows that open, times that stay fresh. One listener each, on the document. */
import { startConnection } from "./connection";
import { el, setIcon } from "./dom";
import { openShortcuts, startKeyboard } from "./keyboard";
import { startLists } from "./lists";
import { startPalette } from "./palette";
import { startRecent } from "./recent";
import { startTimes } from "./time";
import { t } from "./words";

const root = document.documentElement;
const YEAR = 31_536_000;

function remember(name: string, value: string): void {
  document.cookie = `${name}=${value}; path=/; max-age=${value ? YEAR : 0}; samesite=lax`;
}

const actions: Record<string, (button: HTMLElement) => void> = {
  "rail-toggle": () => {
    const narrow = root.dataset.rail === "narrow";
    if (narrow) delete root.dataset.rail;
    else root.dataset.rail = "narrow";
    remember("rail", narrow ? "" : "narrow");
    nameRailLinks();
  },
  "sheet-open": () => setSheet(true),
  "sheet-close": () => setSheet(false),
  "theme-toggle": () => {
    const dark = root.dataset.theme ? root.dataset.theme === "aifs-dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "aifs" : "aifs-dark";
    remember("theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("aifs:theme"));
  },
  "shortcuts-open": () => openShortcuts(),
  "toast-close": (button) => button.closest(".toast-card")?.remove(),
};

/** On phones the rail is a sheet: the page behind it is out of reach while it is open. */
function setSheet(open: boolean): void {
  root.dataset.sheet = open ? "open" : "";
  document.querySelector<HTMLElement>(".frame-body")?.toggleAttribute("inert", open);
  document.querySelector("[data-action=sheet-open]")?.setAttribute("aria-expanded", String(open));
  (open ? document.querySelector<HTMLElement>("#rail a") : document.querySelector<HTMLElement>("[data-action=sheet-open]"))?.focus();
}

/** In a narrow rail the words move into the tooltip. */
function nameRailLinks(): void {
  const narrow = root.dataset.rail === "narrow";
  for (const link of document.querySelectorAll<HTMLElement>("[data-tip]")) {
    if (narrow) link.title = link.innerText.trim();
    else link.removeAttribute("title");
  }
}

async function copy(button: HTMLElement, text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "sr-only" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = button.getAttribute("aria-label");
  button.dataset.done = "";
  setIcon(button.querySelector("svg"), "check");
  button.setAttribute("aria-label", t("Copied"));
  setTimeout(() => {
    delete button.dataset.done;
    setIcon(button.querySelector("svg"), "copy");
    if (before) button.setAttribute("aria-label", before);
    else button.removeAttribute("aria-label");
  }, 1500);
}

function onClick(event: MouseEvent): void {
  const target = event.target as Element;
  const button = target.closest<HTMLElement>("[data-action]");
  if (button) actions[button.dataset.action ?? ""]?.(button);

  const copier = target.closest<HTMLElement>("[data-copy], [data-copy-next]");
  if (copier) {
    const text = copier.dataset.copy ?? copier.closest(".snippet")?.querySelector("pre")?.textContent ?? "";
    void copy(copier, text);
    return;
  }
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details[data-menu][open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
  openRow(event, target);
}

/** A click anywhere in a row opens it; the link inside stays the way for keyboards. */
function openRow(event: MouseEvent, target: Element): void {
  const row = target.closest<HTMLElement>("tr[data-href]");
  if (!row || target.closest("a, button, input, label, summary") || getSelection()?.toString()) return;
  const href = row.dataset.href ?? "";
  if (event.metaKey || event.ctrlKey) window.open(href, "_blank");
  else location.assign(href);
}

function onKey(event: KeyboardEvent): void {
  if (event.key !== "Escape") return;
  const menu = document.querySelector<HTMLDetailsElement>("details[data-menu][open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  } else if (root.dataset.sheet === "open") setSheet(false);
}

/** Asks once before a form that destroys something: `<form data-confirm="…">`. */
function onSubmit(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (question && !confirm(question)) {
    event.preventDefault();
    return;
  }
  if (form.method === "post" && !event.defaultPrevented) markBusy(event.submitter);
}

/** The pressed button shows that the work has begun, so that nobody presses twice. */
function markBusy(button: HTMLElement | null): void {
  if (!button?.classList.contains("btn")) return;
  setTimeout(() => {
    button.classList.add("pointer-events-none", "opacity-70");
    button.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => {
    button.classList.remove("pointer-events-none", "opacity-70");
    button.removeAttribute("aria-busy");
  });
}

/** What scrolls sideways must be reachable by keyboard. */
function reachScrollers(): void {
  for (const box of document.querySelectorAll<HTMLElement>(".table-wrap, .snippet pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

/** On a phone a long row of tabs begins where the open one stands in its middle. */
function showOpenTab(): void {
  const row = document.querySelector<HTMLElement>(".tabs-line");
  const open = row?.querySelector<HTMLElement>("[aria-current]");
  if (row && open) row.scrollLeft = open.offsetLeft - row.offsetLeft - (row.clientWidth - open.offsetWidth) / 2;
}

export function startFrame(): void {
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("submit", onSubmit);
  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
    if (token) (event as CustomEvent).detail.headers["X-CSRFToken"] = token;
  });
  for (const card of document.querySelectorAll<HTMLElement>(".toast-card[data-fade]")) setTimeout(() => card.remove(), 6000);
  nameRailLinks();
  showOpenTab();
  reachScrollers();
  addEventListener("resize", reachScrollers);
  addEventListener("resize", showOpenTab);
  document.addEventListener("htmx:afterSwap", reachScrollers);
  startConnection();
  startTimes();
  startPalette();
  startKeyboard();
  startLists();
  startRecent();
}
