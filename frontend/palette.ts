/** Ctrl or ⌘ K: go to any page, or find an artefact through core's search. */
import { el, getJson } from "./dom";
import { t } from "./words";

interface Found {
  label: string;
  url: string;
  kind: string;
}

/** Pages the frame already links to, and the page's own actions. */
function pages(): Found[] {
  const links = document.querySelectorAll<HTMLAnchorElement>("#rail a.rail-link, .page-actions a[href]");
  return [...links].map((link) => ({ label: link.innerText.trim() || link.textContent?.trim() || "", url: link.href, kind: t("Page") }));
}

class Palette {
  private readonly input: HTMLInputElement;
  private readonly list: HTMLElement;
  private chosen = 0;
  private asked = 0;

  constructor(private readonly dialog: HTMLDialogElement) {
    this.input = dialog.querySelector("input")!;
    this.list = dialog.querySelector("[role=listbox]")!;
    this.input.addEventListener("input", () => void this.search());
    dialog.addEventListener("keydown", (event) => this.onKey(event));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (option?.dataset.url) location.assign(option.dataset.url);
    });
  }

  open(): void {
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.input.value = "";
    this.show(pages());
    this.input.focus();
  }

  private async search(): Promise<void> {
    const query = this.input.value.trim();
    const turn = ++this.asked;
    const own = pages().filter((page) => page.label.toLowerCase().includes(query.toLowerCase()));
    this.show(own);
    if (query.length < 2 || !this.dialog.dataset.search) return;
    await new Promise((done) => setTimeout(done, 150));
    if (turn !== this.asked) return;
    try {
      const { results } = await getJson<{ results: Found[] }>(`${this.dialog.dataset.search}?q=${encodeURIComponent(query)}`);
      if (turn === this.asked) this.show([...own, ...results]);
    } catch {
      // The pages above are still of use; the next letter asks again.
    }
  }

  private show(found: Found[]): void {
    this.list.replaceChildren(
      ...found.map((item, index) =>
        el(
          "div",
          { role: "option", id: `palette-${index}`, "data-url": item.url, "aria-selected": "false" },
          el("span", { class: "truncate" }, item.label),
          el("span", { class: "shrink-0 text-xs text-base-content/70" }, item.kind),
        ),
      ),
    );
    if (!found.length) this.list.append(el("p", { class: "p-4 text-center text-sm text-base-content/70" }, t("Nothing found")));
    this.choose(0);
  }

  private choose(index: number): void {
    const options = this.list.querySelectorAll<HTMLElement>("[role=option]");
    this.chosen = options.length ? (index + options.length) % options.length : 0;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.chosen)));
    const current = options[this.chosen];
    current?.scrollIntoView({ block: "nearest" });
    if (current) this.input.setAttribute("aria-activedescendant", current.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  private onKey(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.choose(this.chosen + step);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.list.querySelectorAll<HTMLElement>("[role=option]")[this.chosen]?.click();
    }
  }
}

export function startPalette(): void {
  const dialog = document.querySelector<HTMLDialogElement>("dialog.palette");
  if (!dialog) return;
  const palette = new Palette(dialog);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette.open();
    }
  });
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-action=palette-open]")) palette.open();
  });
}
