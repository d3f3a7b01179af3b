// @ts-check
// A table whose cells fill as they are measured. Each cell is a button that tells more below; arrow keys
// go from one to the next.
import { el, say } from '../page/dom.js';
import { detail } from './detail.js';
import { Grids, tone } from './grid.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {import('./grid.js').Grid} Grid */

const signs = { direct: '●', relayed: '◆', failed: '✕', busy: '', plain: '' };
const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export class Matrix {
  label = 'Matrix';
  #grids = new Grids();
  #body = el('div', { class: 'matrices' });
  #empty = el('p', { class: 'empty' }, 'No cell has been measured yet.');
  #more = el('div', { class: 'ladder-detail', 'aria-live': 'polite', hidden: '' });
  /** the cell that is looked at, by variant, row and column */
  #chosen = '';
  /** @type {Map<string, {shape: string, element: HTMLElement, caption: HTMLElement, cells: Map<string, HTMLButtonElement>}>} */
  #tables = new Map();

  /** @param {HTMLElement} container */
  constructor(container) {
    container.append(this.#body, this.#empty, this.#more);
    this.#body.addEventListener('keydown', (e) => this.#move(e));
  }

  get count() { return this.#grids.count; }

  reset() { this.#grids = new Grids(); }

  /** @param {Event} event */
  push(event) { this.#grids.add(event); }

  draw() {
    const grids = this.#grids.all;
    this.#empty.hidden = grids.length > 0;
    for (const [variant, { element }] of this.#tables) {
      if (grids.some((g) => g.variant === variant)) continue;
      element.remove();
      this.#tables.delete(variant);
    }
    /** @type {Event|null} */
    let chosen = null;
    for (const grid of grids) {
      const made = this.#table(grid);
      const toGo = grid.done < grid.planned ? `${grid.done} of ${grid.planned} measured` : '';
      say(made.caption, [grid.variant, toGo].filter(Boolean).join(': '));
      for (const row of grid.rows) {
        for (const column of grid.columns) {
          const button = /** @type {HTMLButtonElement} */ (made.cells.get(`${row}\n${column}`)), event = grid.cell(row, column);
          const text = event?.text ?? '', mark = tone(text);
          const [word, ...rest] = text.split(' ');
          if (button.dataset.text !== text) {
            button.dataset.text = text;
            button.dataset.tone = text === '' ? 'none' : mark;
            const name = `${row}, ${column}: ${text === '' ? 'not yet' : mark === 'busy' ? 'being measured' : text}`;
            button.setAttribute('aria-label', name);
            button.replaceChildren(...(mark === 'plain' ? [text] : [
              el('span', { class: 'sign', 'aria-hidden': 'true' }, signs[mark]),
              el('span', { class: 'word' }, mark === 'busy' ? '…' : word), ' ', el('small', {}, rest.join(' ')),
            ]));
          }
          const id = `${grid.variant}\n${row}\n${column}`;
          button.setAttribute('aria-pressed', String(id === this.#chosen));
          if (id === this.#chosen && event) chosen = event;
        }
      }
    }
    const shown = chosen ? `${chosen.seq}` : '';
    if (this.#more.dataset.shown !== shown) {
      this.#more.dataset.shown = shown;
      detail(this.#more, chosen && readable(chosen));
    }
  }

  /** @param {Grid} grid */
  #table({ variant, rows, columns }) {
    const shape = JSON.stringify([rows, columns]), old = this.#tables.get(variant);
    if (old?.shape === shape) return old;
    const caption = el('caption');
    /** @type {Map<string, HTMLButtonElement>} */
    const cells = new Map();
    const body = rows.map((row) => el('tr', {}, el('th', { scope: 'row' }, row), ...columns.map((column) => {
      const button = /** @type {HTMLButtonElement} */ (el('button', { type: 'button', class: 'cell', 'data-tone': 'none', 'data-testid': 'cell', 'data-row': row, 'data-column': column }));
      button.addEventListener('click', () => {
        const id = `${variant}\n${row}\n${column}`;
        this.#chosen = this.#chosen === id ? '' : id;
        this.draw();
      });
      cells.set(`${row}\n${column}`, button);
      return el('td', {}, button);
    })));
    const element = el('div', { class: 'matrix', tabindex: '0', role: 'region', 'aria-label': variant || 'Matrix' },
      el('table', {}, caption, el('thead', {}, el('tr', {}, el('td'), ...columns.map((c) => el('th', { scope: 'col' }, c)))), el('tbody', {}, ...body)));
    if (old) old.element.replaceWith(element);
    else this.#body.append(element);
    const made = { shape, element, caption, cells };
    this.#tables.set(variant, made);
    return made;
  }

  /** @param {KeyboardEvent} e */
  #move(e) {
    const by = moves[/** @type {keyof typeof moves} */ (e.key)], from = /** @type {HTMLElement} */ (e.target).closest('td');
    if (!by || !from) return;
    const row = /** @type {HTMLTableRowElement} */ (from.parentElement), table = /** @type {HTMLTableElement} */ (row.closest('table'));
    const to = table.rows[row.rowIndex + by[0]]?.cells[from.cellIndex + by[1]]?.querySelector('button');
    if (!to) return;
    to.focus();
    e.preventDefault();
    e.stopPropagation();
  }
}

/** The event without what only the drawing needs. @param {Event} event @returns {Event} */
function readable(event) {
  const { grid, ...attrs } = event.attrs ?? {};
  return { ...event, from: `${event.from} and ${event.name}`, name: event.text, text: attrs.why ?? '', attrs: Object.fromEntries(Object.entries(attrs).filter(([k]) => k !== 'why')) };
}
