/** Ctrl or ⌘ K: go to any page or artefact, start any job, switch project, language, or light and dark. */
import { el, getJson, icon } from "./dom";
import { score } from "./fuzzy";
import { recent } from "./recent";
import { t } from "./words";

type Scope = "recent" | "go" | "start" | "project" | "setting" | "found";

interface Item {
  label: string;
  scope: Scope;
  icon: string;
  hint?: string;
  words?: string;
  url?: string;
  act?: () => void;
}

interface Answer {
  results: { label: string; url: string; kind: string }[];
}

/** Groups in the order they stand, each with its heading. */
const groups = (): Record<Scope, string> => ({
  recent: t("Recent"),
  go: t("Go to"),
  start: t("Start"),
  project: t("Projects"),
  setting: t("Settings"),
  found: t("Found"),
});
const UNASKED = 6; // of each group before anything is typed, so that all groups are seen

/** What the frame can do itself, by the buttons it already has. */
function settings(): Item[] {
  const press = (selector: string) => () => document.querySelector<HTMLElement>(selector)?.click();
  const items: Item[] = [
    { label: t("Light or dark"), scope: "setting", icon: "moon", words: "theme", act: press("[data-action=theme-toggle]") },
    { label: t("Keyboard shortcuts"), scope: "setting", icon: "keyboard", words: "?", act: press("[data-action=shortcuts-open]") },
  ];
  const languages = new Map<string, HTMLButtonElement>();
  for (const button of document.querySelectorAll<HTMLButtonElement>("form button[name=language]")) languages.set(button.value, button);
  for (const button of languages.values()) {
    if (button.hasAttribute("aria-current")) continue;
    items.push({ label: button.textContent?.trim() ?? "", scope: "setting", icon: "languages", hint: t("Language"), words: "language 语言", act: () => button.click() });
  }
  return items;
}

/** The page's own buttons, such as “Import data”. */
function pageActions(): Item[] {
  const links = document.querySelectorAll<HTMLAnchorElement>(".page-actions a[href]");
  return [...links].map((link) => ({ label: link.textContent?.trim() ?? "", url: link.href, scope: "go", icon: "arrow-right" }));
}

class Palette {
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private readonly status: HTMLElement;
  private shown: Item[] = [];
  private commands: Item[] = [];
  private scope?: Scope;
  private chosen = 0;
  private asked = 0;
  private loaded?: Promise<void>;

  constructor(private readonly dialog: HTMLDialogElement) {
    this.input = dialog.querySelector("input")!;
    this.list = dialog.querySelector("[role=listbox]")!;
    this.status = dialog.querySelector("[role=status]")!;
    this.input.addEventListener("input", () => void this.search());
    dialog.addEventListener("keydown", (event) => this.onKey(event));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (option) this.run(this.shown[Number(option.dataset.index)], event.ctrlKey || event.metaKey);
    });
    this.list.addEventListener("pointermove", (event) => {
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (option) this.choose(Number(option.dataset.index), false);
    });
  }

  /** scope: only this group, as a button “Start a job” wants it. */
  open(scope?: Scope): void {
    if (this.dialog.open) return;
    this.scope = scope;
    this.dialog.showModal();
    this.input.value = "";
    this.input.focus();
    void this.search();
    this.loaded ??= this.load();
    void this.loaded.then(() => this.search());
  }

  private async load(): Promise<void> {
    try {
      const { commands } = await getJson<{ commands: Item[] }>(this.dialog.dataset.commands ?? "");
      this.commands = commands;
    } catch {
      this.loaded = undefined; // what the frame itself knows still works; opening again asks again
    }
  }

  private items(): Item[] {
    const visits: Item[] = recent().map((visit) => ({ label: visit.label, url: visit.url, hint: visit.kind, scope: "recent", icon: "clock" }));
    const all = [...visits, ...pageActions(), ...this.commands, ...settings()];
    const here = location.pathname;
    return all.filter((item) => (!this.scope || item.scope === this.scope) && item.url !== here);
  }

  private async search(): Promise<void> {
    const query = this.input.value.trim();
    const turn = ++this.asked;
    const own = query ? this.fitting(query) : this.unasked();
    this.show(own, query !== "");
    if (query.length < 2 || this.scope || !this.dialog.dataset.search) return;
    await new Promise((done) => setTimeout(done, 120));
    if (turn !== this.asked) return;
    try {
      const { results } = await getJson<Answer>(`${this.dialog.dataset.search}?q=${encodeURIComponent(query)}`);
      if (turn !== this.asked) return;
      const known = new Set(own.map((item) => item.url));
      const found: Item[] = results
        .filter((result) => !known.has(result.url))
        .map((result) => ({ label: result.label, url: result.url, hint: result.kind, scope: "found", icon: "file-text" }));
      this.show([...own, ...found], true);
    } catch {
      // What was found here is still of use; the next letter asks again.
    }
  }

  private unasked(): Item[] {
    const counts: Partial<Record<Scope, number>> = {};
    return this.items().filter((item) => {
      counts[item.scope] = (counts[item.scope] ?? 0) + 1;
      return this.scope || counts[item.scope]! <= UNASKED;
    });
  }

  private fitting(query: string): Item[] {
    const scored = this.items().flatMap((item) => {
      const shown = score(query, item.label);
      const hidden = score(query, `${item.label} ${item.hint ?? ""} ${item.words ?? ""}`);
      const points = Math.max(shown ?? -Infinity, hidden === null ? -Infinity : hidden - 10);
      return points === -Infinity ? [] : [{ item, points }];
    });
    return scored.sort((one, other) => other.points - one.points).slice(0, 24).map((fit) => fit.item);
  }

  /** ranked: by how well they fit, the best first; else by group. Either way a group stands together. */
  private show(items: Item[], ranked: boolean): void {
    const kept = this.shown[this.chosen];
    const order = ranked ? [...new Set(items.map((item) => item.scope))] : (Object.keys(groups()) as Scope[]);
    const headings = groups();
    this.shown = order.flatMap((scope) => items.filter((item) => item.scope === scope));
    this.list.replaceChildren(
      ...order.flatMap((scope) => {
        const of = this.shown.filter((item) => item.scope === scope);
        if (!of.length) return [];
        const heading = el("div", { class: "palette-heading", role: "presentation", id: `palette-${scope}` }, headings[scope]);
        return [el("div", { role: "group", "aria-labelledby": `palette-${scope}` }, heading, ...of.map((item) => this.option(item)))];
      }),
    );
    if (!this.shown.length) this.list.append(el("p", { class: "p-4 text-center text-sm text-base-content/70" }, t("Nothing found")));
    this.status.textContent = ranked ? t("{count} results", { count: this.shown.length }) : "";
    const again = ranked && kept && this.asked > 1 ? this.shown.findIndex((item) => item === kept) : -1;
    this.choose(Math.max(0, this.chosen > 0 ? again : 0));
  }

  private option(item: Item): HTMLElement {
    const index = this.shown.indexOf(item);
    return el(
      "div",
      { role: "option", id: `palette-option-${index}`, "data-index": index, "data-url": item.url, "aria-selected": "false" },
      icon(item.icon),
      el("span", { class: "min-w-0 flex-1 truncate" }, item.label),
      item.hint && el("span", { class: "max-w-40 shrink-0 truncate text-xs" }, item.hint),
    );
  }

  private choose(index: number, scroll = true): void {
    const options = this.list.querySelectorAll<HTMLElement>("[role=option]");
    this.chosen = options.length ? (index + options.length) % options.length : 0;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.chosen)));
    const current = options[this.chosen];
    if (scroll) current?.scrollIntoView({ block: "nearest" });
    if (scroll && this.chosen === 0) this.list.scrollTop = 0;
    if (current) this.input.setAttribute("aria-activedescendant", current.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  private run(item: Item | undefined, elsewhere: boolean): void {
    if (!item) return;
    this.dialog.close();
    if (item.act) item.act();
    else if (elsewhere) window.open(item.url, "_blank");
    else location.assign(item.url ?? "");
  }

  private onKey(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) {
      event.preventDefault();
      const far = Math.abs(step) > 1;
      this.choose(far ? Math.min(this.shown.length - 1, Math.max(0, this.chosen + step)) : this.chosen + step);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.run(this.shown[this.chosen], event.ctrlKey || event.metaKey);
    }
  }
}

export function startPalette(): void {
  const dialog = document.querySelector<HTMLDialogElement>("dialog.palette");
  if (!dialog) return;
  const palette = new Palette(dialog);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette.open();
    }
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-action=palette-open]");
    if (button) palette.open(button.dataset.scope as Scope | undefined);
  });
}
