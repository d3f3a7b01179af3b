// @ts-check
// One packet, layer by layer: a table of its fields beside its bytes. Pointing at one
// lights up the other; arrow keys go from field to field.
import { el } from '../page/dom.js';
import { bytesOf, colours, lineAt, linesOf, printed } from './dissection.js';

/** @typedef {import('./dissection.js').Dissected} Dissected */
/** @typedef {(number: number) => Promise<Dissected>} Ask */

const most = 2048; // bytes that are drawn

export class Bytes {
  #box = el('section', { class: 'packet-bytes', 'data-testid': 'packet-bytes', 'aria-label': 'The packet, layer by layer', hidden: '' });
  #ask;
  #number = 0;
  /** @type {import('./dissection.js').Line[]} */
  #lines = [];
  /** @type {HTMLTableRowElement[]} */
  #rows = [];
  /** @type {HTMLElement[][]} byte by byte: in hexadecimal, and as text */
  #cells = [];
  #chosen = -1;
  #lit = -1;

  /** @param {HTMLElement} container @param {Ask} [ask] */
  constructor(container, ask) {
    this.#ask = ask;
    container.append(this.#box);
    this.#box.addEventListener('pointerover', (e) => this.#light(this.#lineOf(e.target)));
    this.#box.addEventListener('pointerleave', () => this.#light(-1));
    this.#box.addEventListener('click', (e) => {
      const line = this.#lineOf(e.target);
      if (line >= 0) this.#choose(line === this.#chosen ? -1 : line);
    });
    this.#box.addEventListener('keydown', (e) => this.#keys(e));
  }

  /** @param {number} number of the packet; 0: none */
  async show(number) {
    this.#number = number;
    this.#box.hidden = number === 0 || !this.#ask;
    if (!this.#ask || number === 0) return;
    try {
      const packet = await this.#ask(number);
      if (this.#number === number) this.#draw(packet);
    } catch (err) {
      if (this.#number === number) this.#box.replaceChildren(el('p', { class: 'muted', role: 'status' }, `The bytes of this packet are not to be had: ${/** @type {Error} */ (err).message}`));
    }
  }

  /** @param {Dissected} packet */
  #draw(packet) {
    const bytes = bytesOf(packet.hex), of = colours(packet.layers, bytes.length), shown = Math.min(bytes.length, most);
    this.#lines = linesOf(packet);
    this.#chosen = this.#lit = -1;
    this.#rows = this.#lines.map((line, i) => el('tr', { 'data-line': String(i), 'data-layer': line.layer, class: line.head ? 'layer-head' : '', 'aria-selected': 'false' },
      el(line.head ? 'th' : 'td', line.head ? { scope: 'rowgroup' } : {}, line.name),
      el('td', {}, el('span', { class: 'mono' }, line.value), ...(line.note ? [' ', el('small', {}, line.note)] : [])), el('td', { class: 'mono where' }, line.where)));
    const table = el('table', {}, el('caption', { class: 'unseen' }, `Packet ${packet.number}, field by field`),
      el('thead', {}, el('tr', {}, ...['Field', 'Value', 'Bytes'].map((t) => el('th', { scope: 'col' }, t)))), el('tbody', {}, ...this.#rows));
    this.#cells = [];
    const lines = [];
    for (let i = 0; i < shown; i += 16) {
      const hex = el('span', { class: 'hex' }), text = el('span', { class: 'ascii' });
      for (let j = i; j < Math.min(i + 16, shown); j++) {
        const attrs = { 'data-byte': String(j), 'data-layer': of[j] };
        const pair = [el('span', attrs, bytes[j].toString(16).padStart(2, '0')), el('span', attrs, printed(bytes[j]))];
        hex.append(pair[0]);
        text.append(pair[1]);
        this.#cells.push(pair);
      }
      lines.push(el('div', { class: 'hex-line' }, el('span', { class: 'offset' }, i.toString(16).padStart(4, '0')), hex, text));
    }
    if (bytes.length > shown) lines.push(el('p', { class: 'muted' }, `${bytes.length - shown} bytes more are in the pcapng.`));
    this.#box.replaceChildren(
      ...(packet.problem ? [el('p', { class: 'banner warn', role: 'status' }, packet.problem)] : []),
      el('div', { class: 'packet-halves' },
        el('div', { class: 'fields', tabindex: '0', role: 'region', 'aria-label': `Packet ${packet.number}: its fields; arrow keys go from one to the next and light up its bytes` }, table),
        // Which bytes a field is, its row says in words.
        el('div', { class: 'hexdump', 'aria-hidden': 'true' }, ...lines)));
  }

  /** @param {EventTarget|null} target */
  #lineOf(target) {
    const on = target instanceof Element ? target.closest('[data-line], [data-byte]') : null;
    if (!(on instanceof HTMLElement)) return -1;
    return on.dataset.line ? Number(on.dataset.line) : lineAt(this.#lines, Number(on.dataset.byte));
  }

  /** @param {number} line */
  #choose(line) {
    this.#rows[this.#chosen]?.setAttribute('aria-selected', 'false');
    this.#chosen = line;
    this.#rows[line]?.setAttribute('aria-selected', 'true');
    this.#mark(line);
    bring(this.#rows[line]);
    bring(this.#cells[this.#lines[line]?.from]?.[0]);
  }

  /** @param {number} line pointed at; -1: none, so the chosen one is lit */
  #light(line) {
    if (line !== this.#lit) this.#mark(line < 0 ? this.#chosen : line);
    this.#lit = line;
  }

  /** @param {number} line */
  #mark(line) {
    const { from, to } = this.#lines[line] ?? { from: 0, to: 0 };
    this.#cells.forEach((pair, i) => { for (const cell of pair) cell.classList.toggle('lit', i >= from && i < to); });
    this.#rows.forEach((row, i) => row.classList.toggle('lit', i === line));
  }

  /** @param {KeyboardEvent} e */
  #keys(e) {
    if (e.altKey || e.ctrlKey || e.metaKey || this.#lines.length === 0) return;
    const last = this.#lines.length - 1, at = this.#chosen;
    const to = { ArrowDown: Math.min(last, at + 1), ArrowUp: Math.max(0, at - 1), Home: 0, End: last, Escape: -1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    this.#choose(to);
  }
}

/** Scrolls the box that an element is in, and not the page under somebody's pointer. @param {HTMLElement|undefined} element */
function bring(element) {
  const box = element?.closest('.fields, .hexdump');
  if (!element || !box) return;
  const of = box.getBoundingClientRect(), it = element.getBoundingClientRect(), head = 32; // what the head of the table covers
  if (it.top < of.top + head) box.scrollTop += it.top - of.top - head;
  else if (it.bottom > of.bottom) box.scrollTop += it.bottom - of.bottom + 4;
}
