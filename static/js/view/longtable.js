// @ts-check
// A table of any number of rows. Some hundred are all in the page, so that one
// can search and read them; of more, only those in sight are, and a screen
// reader is told their number. A row can be chosen, by pointer or by arrow keys.
import { set, unit } from './svg.js';

/** @typedef {import('./table.js').Column} Column */
/** @typedef {import('./table.js').Row} Row */

const rowHeight = 28, spare = 10, whole = 600;

export class LongTable {
  #box = document.createElement('div');
  #table = document.createElement('table');
  #caption = this.#table.createCaption();
  #head = this.#table.createTHead().insertRow();
  #body = this.#table.createTBody();
  #above = document.createElement('tr');
  #below = document.createElement('tr');
  #columns;
  #choose;
  #chosen = -1;
  #count = 0;
  /** @type {(index: number) => Row} */
  #row = () => ({ cells: [] });
  #wants;
  #follow;
  /** what is in the page: rows first to last of this content @type {{of: unknown, first: number, last: number, count: number, height: number}|null} */
  #built = null;
  /** @type {unknown} */
  #of = null;

  /**
   * @param {HTMLElement} container
   * @param {{columns: Column[], label: string, choose?: (index: number) => void, follow?: boolean}} options
   *   choose: told of the row somebody points at, -1 for none; follow: stay at the end when there
   */
  constructor(container, { columns, label, choose, follow = true }) {
    this.#columns = columns;
    this.#choose = choose;
    this.#wants = this.#follow = follow;
    this.#box.className = 'long-table';
    this.#box.tabIndex = 0;
    set(this.#box, { role: 'region', 'aria-label': label });
    for (const column of columns) {
      const th = document.createElement('th');
      th.scope = 'col';
      th.textContent = column.title;
      if (column.numeric) th.className = 'num';
      this.#head.append(th);
    }
    for (const edge of [this.#above, this.#below]) {
      edge.className = 'edge';
      edge.setAttribute('aria-hidden', 'true');
      edge.append(document.createElement('td'));
      /** @type {HTMLTableCellElement} */ (edge.firstElementChild).colSpan = columns.length;
    }
    this.#box.append(this.#table);
    container.append(this.#box);
    this.#box.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#box;
      this.#follow = this.#wants && scrollTop + clientHeight >= scrollHeight - 4;
      this.#window();
    });
    this.#body.addEventListener('click', (e) => {
      const tr = e.target instanceof Element ? e.target.closest('tr') : null;
      if (tr?.dataset.index) this.choose(Number(tr.dataset.index) === this.#chosen ? -1 : Number(tr.dataset.index));
    });
    this.#box.addEventListener('keydown', (e) => this.#keys(e));
    new ResizeObserver(() => this.#window()).observe(this.#box);
  }

  get element() { return this.#box; }
  get chosen() { return this.#chosen; }

  /**
   * @param {{count: number, row: (index: number) => Row, caption: string, of: unknown}} what
   *   row: asked for those in the page only; of: the same value as long as rows are only added
   */
  show({ count, row, caption, of }) {
    this.#count = count;
    this.#row = row;
    this.#of = of;
    if (this.#chosen >= count) this.choose(-1);
    if (this.#caption.textContent !== caption) this.#caption.textContent = caption;
    this.#table.setAttribute('aria-rowcount', String(count + 1));
    const following = this.#follow; // what is built now may set it off
    this.#window();
    if (following && this.#box.scrollTop + this.#box.clientHeight < this.#box.scrollHeight) {
      this.#box.scrollTop = this.#box.scrollHeight;
      this.#follow = true;
      this.#window();
    }
  }

  /** @param {number} index -1 is none */
  choose(index) {
    this.#mark('false');
    this.#chosen = index;
    this.#mark('true');
    this.#choose?.(index);
  }

  /** @param {string} on */
  #mark(on) { this.#body.querySelector(`[data-index="${this.#chosen}"]`)?.setAttribute('data-chosen', on); }

  #window() {
    if (this.#box.clientHeight === 0) return;
    const height = rowHeight * unit(), all = this.#count <= whole, was = this.#built;
    const first = all ? 0 : Math.max(0, Math.floor(this.#box.scrollTop / height) - spare);
    const last = all ? this.#count : Math.min(this.#count, Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / height) + spare);
    const same = was !== null && was.of === this.#of && was.first === first && was.height === height;
    if (same && was.last === last && was.count === this.#count) return;
    this.#built = { of: this.#of, first, last, count: this.#count, height };
    edge(this.#above, first * height);
    edge(this.#below, (this.#count - last) * height);
    const begin = same && last >= was.last ? was.last : first;
    const rows = [];
    for (let i = begin; i < last; i++) rows.push(this.#made(i));
    if (begin > first) this.#below.before(...rows);
    else this.#body.replaceChildren(this.#above, ...rows, this.#below);
  }

  /** @param {number} index */
  #made(index) {
    const { cells, attrs } = this.#row(index);
    const tr = document.createElement('tr');
    tr.dataset.index = String(index);
    set(tr, { 'aria-rowindex': index + 2, ...attrs });
    if (this.#choose) tr.setAttribute('data-chosen', String(index === this.#chosen));
    cells.forEach((text, i) => {
      const td = tr.insertCell(), column = this.#columns[i];
      td.textContent = text;
      if (text.length > 24) td.title = text.slice(0, 500);
      if (column.numeric || column.mono) td.className = column.numeric ? 'num' : 'mono';
    });
    return tr;
  }

  /** @param {KeyboardEvent} e */
  #keys(e) {
    const last = this.#count - 1, height = rowHeight * unit();
    if (!this.#choose || last < 0 || e.altKey || e.ctrlKey || e.metaKey) return;
    const page = Math.max(1, Math.floor(this.#box.clientHeight / height) - 2);
    const from = this.#chosen < 0 ? Math.floor(this.#box.scrollTop / height) - 1 : this.#chosen;
    const to = { ArrowDown: from + 1, ArrowUp: Math.max(0, from - 1), PageDown: from + page, PageUp: Math.max(0, from - page), Home: 0, End: last, Escape: -1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const index = Math.min(last, to), top = index * height;
    if (index >= 0 && (top < this.#box.scrollTop || top + 3 * height > this.#box.scrollTop + this.#box.clientHeight)) {
      this.#box.scrollTop = top < this.#box.scrollTop ? top : top + 3 * height - this.#box.clientHeight;
      this.#window();
    }
    this.choose(index);
    this.#body.querySelector(`[data-index="${index}"]`)?.scrollIntoView({ block: 'nearest' });
  }
}

/** Stands for the rows that are not there. @param {HTMLTableRowElement} row @param {number} height */
function edge(row, height) {
  row.hidden = height === 0;
  /** @type {HTMLElement} */ (row.firstElementChild).style.height = `${height}px`;
}
