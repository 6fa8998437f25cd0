/** `<comment-thread data-people>`: comments on a thing. Keeps what is being written when the page is loaded anew, goes to the comment
 *  that the address names, and completes `@` and some letters to a member of the project by keyboard or mouse. Without it all forms work. */
import { el, getJson } from "../dom";
import { t } from "../words";

interface Person {
  name: string;
  email: string;
  handle: string;
}

let shown = "";
const WAIT_MS = 120;
const BEGUN = /(?:^|[^A-Za-z0-9._%+-])@([^\s@]{0,60})$/;

/** The list below one text field; the field keeps the focus and points at the chosen line. */
class Completion {
  private people: Person[] = [];
  private chosen = 0;
  private turn = 0;
  private readonly list: HTMLElement;
  private readonly status = el("span", { class: "sr-only", role: "status" });

  constructor(
    private readonly area: HTMLTextAreaElement,
    private readonly url: string,
  ) {
    this.list = el("div", { class: "mention-list", role: "listbox", id: `${area.id}-people`, "aria-label": t("Members"), hidden: true });
    const given = { "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": this.list.id, autocomplete: "off" };
    for (const [name, value] of Object.entries(given)) area.setAttribute(name, value);
    area.after(this.list, this.status);
    area.addEventListener("input", () => void this.look());
    area.addEventListener("click", () => void this.look());
    area.addEventListener("keydown", (event) => this.onKey(event));
    area.addEventListener("blur", () => this.close());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    this.list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (option) this.take(Number(option.dataset.index));
    });
    if (document.activeElement === area) void this.look(); // somebody began before this was here
  }

  /** The letters behind the `@` at the cursor; undefined when there is none. */
  private begun(): string | undefined {
    const { selectionStart: at, selectionEnd: end, value } = this.area;
    return at === end ? BEGUN.exec(value.slice(0, at))?.[1] : undefined;
  }

  private async look(): Promise<void> {
    const turn = ++this.turn;
    const letters = this.begun();
    if (letters === undefined) return this.close();
    await new Promise((done) => setTimeout(done, WAIT_MS));
    if (turn !== this.turn) return;
    try {
      const { people } = await getJson<{ people: Person[] }>(`${this.url}?q=${encodeURIComponent(letters)}`);
      if (turn === this.turn) this.show(people);
    } catch {
      this.close(); // a name can be typed in full all the same
    }
  }

  private show(people: Person[]): void {
    if (!people.length) return this.close();
    this.people = people;
    this.list.replaceChildren(
      ...people.map((person, index) =>
        el(
          "div",
          { role: "option", id: `${this.list.id}-${index}`, "data-index": index, "aria-selected": "false" },
          el("span", { class: "min-w-0 truncate font-medium" }, person.name || person.email),
          person.name && el("span", { class: "min-w-0 truncate text-xs" }, person.email),
        ),
      ),
    );
    this.list.hidden = false;
    this.status.textContent = t("{count} members. Arrow keys choose, Enter takes.", { count: people.length });
    this.choose(0);
  }

  private close(): void {
    this.turn += 1;
    if (this.list.hidden) return;
    this.list.hidden = true;
    this.status.textContent = "";
    this.area.removeAttribute("aria-activedescendant");
  }

  private choose(index: number): void {
    const options = this.list.querySelectorAll<HTMLElement>("[role=option]");
    this.chosen = (index + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.chosen)));
    options[this.chosen]?.scrollIntoView({ block: "nearest" });
    this.area.setAttribute("aria-activedescendant", options[this.chosen]?.id ?? "");
  }

  private take(index: number): void {
    const letters = this.begun();
    const person = this.people[index];
    if (letters === undefined || !person) return;
    const at = this.area.selectionStart;
    this.area.setRangeText(`${person.handle} `, at - letters.length, at, "end");
    this.close();
    this.area.dispatchEvent(new Event("change", { bubbles: true }));
  }

  private onKey(event: KeyboardEvent): void {
    if (this.list.hidden || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.choose(this.chosen + step);
    else if (event.key === "Enter" || event.key === "Tab") this.take(this.chosen);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

class CommentThread extends HTMLElement {
  connectedCallback(): void {
    const people = this.dataset.people;
    if (people) for (const area of this.querySelectorAll("textarea")) new Completion(area, people);
    const form = this.querySelector<HTMLFormElement>("form[data-comment]");
    if (form) this.keepDraft(form);
    const named = location.hash.startsWith("#comment-") ? document.getElementById(location.hash.slice(1)) : null;
    if (named && this.contains(named) && shown !== location.hash) {
      shown = location.hash; // once: a fragment that comes anew must not jump
      named.toggleAttribute("data-named", true);
      named.scrollIntoView({ block: "center" });
    }
  }

  /** A page of a running job loads itself anew when the job ends. */
  private keepDraft(form: HTMLFormElement): void {
    const area = form.querySelector("textarea");
    const key = `aifs-comment ${form.action}`;
    if (!area) return;
    area.value ||= sessionStorage.getItem(key) ?? "";
    const keep = () => (area.value ? sessionStorage.setItem(key, area.value) : sessionStorage.removeItem(key));
    keep();
    area.addEventListener("input", keep);
    area.addEventListener("change", keep);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.defaultPrevented) form.requestSubmit();
    });
    this.addEventListener("htmx:beforeSwap", (event) => {
      const { xhr, requestConfig } = (event as CustomEvent).detail;
      if (requestConfig.elt === form && xhr.status < 400) sessionStorage.removeItem(key);
    });
  }
}

customElements.define("comment-thread", CommentThread);
