// @ts-check
// The ladder: one lane for each that takes part, time running down, an arrow
// for each message. Only the rows in sight are in the page, so ten thousand
// events cost no more than thirty.
import { set, svg, unit, onWidth } from './svg.js';
import { Rows } from './rows.js';
import { table } from './table.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {import('./rows.js').Row} Row */

const rowHeight = 27, spare = 8;
/** @type {Record<string, string>} */
const titles = { me: 'you', server: 'server', relay: 'relay' };

export class Ladder {
  /** stops following; what comes meanwhile is drawn on going on */
  paused = false;
  #container;
  #head = svg('svg', { class: 'ladder-head', 'aria-hidden': 'true' });
  #scroll = document.createElement('div');
  #sheet = document.createElement('div');
  #root = svg('svg', { 'aria-hidden': 'true' });
  #tableBox = document.createElement('div');
  #empty = document.createElement('p');
  #rows = new Rows(['me'], new Set(), '');
  #asTable = false;
  /** where somebody scrolled up, new rows do not pull them down */
  #follow = true;

  #choose;
  #chosen = -1;

  /** @param {HTMLElement} container it scrolls inside @param {(row: Row|null) => void} choose told of the row somebody points at */
  constructor(container, choose) {
    this.#container = container;
    this.#choose = choose;
    this.#scroll.className = 'ladder-scroll';
    this.#sheet.className = 'ladder-sheet';
    this.#tableBox.className = 'ladder-table';
    this.#empty.className = 'empty';
    this.#sheet.append(this.#root);
    this.#scroll.append(this.#sheet);
    container.append(this.#head, this.#scroll, this.#tableBox, this.#empty);
    this.#tableBox.hidden = true;
    this.#scroll.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroll;
      this.#follow = scrollTop + clientHeight >= scrollHeight - 4;
      this.#window();
    });
    container.addEventListener('keydown', (e) => this.#keys(e));
    onWidth(container, () => this.draw());
  }

  /** rows there are @returns {number} */
  get length() { return this.#rows.list.length; }

  /**
   * Starts over with these lanes and events.
   * @param {{lanes: string[], peer: string, hidden: Set<string>, events: Event[], empty: string}} what
   */
  show({ lanes, peer, hidden, events, empty }) {
    this.#rows = new Rows(lanes, hidden, peer);
    for (const event of events) this.#rows.add(event);
    this.#empty.textContent = empty;
    this.#follow = true;
    this.#pick(-1);
    this.draw();
  }

  /** Takes one more event; draw() shows it. @param {Event} event */
  push(event) { this.#rows.add(event); }

  /** @param {boolean} on */
  asTable(on) {
    this.#asTable = on;
    this.draw();
  }

  draw() {
    if (this.paused || this.#container.clientWidth === 0) return;
    const none = this.#rows.list.length === 0;
    this.#empty.hidden = !none;
    this.#tableBox.hidden = none || !this.#asTable;
    this.#scroll.hidden = none || this.#asTable;
    this.#head.style.display = none || this.#asTable ? 'none' : '';
    if (none) return;
    if (this.#asTable) return this.#table();
    const k = unit();
    this.#sheet.style.height = `${(this.#rows.list.length * rowHeight + 6) * k}px`;
    this.#lanes(k);
    if (this.#follow) this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#window();
  }

  /** Arrow keys go from row to row. @param {KeyboardEvent} e */
  #keys(e) {
    const last = this.length - 1, from = this.#chosen < 0 ? last + 1 : this.#chosen;
    const to = { ArrowDown: from + 1, ArrowUp: from - 1, PageDown: from + 10, PageUp: from - 10, Home: 0, End: last, Escape: -1 }[e.key];
    if (to === undefined || this.#asTable || last < 0) return;
    e.preventDefault();
    this.#pick(to < 0 && e.key === 'Escape' ? -1 : Math.max(0, Math.min(last, to)));
    const height = rowHeight * unit(), top = this.#chosen * height;
    if (this.#chosen < 0) return;
    if (top < this.#scroll.scrollTop) this.#scroll.scrollTop = top - height;
    else if (top + 2 * height > this.#scroll.scrollTop + this.#scroll.clientHeight) this.#scroll.scrollTop = top + 2 * height - this.#scroll.clientHeight;
  }

  /** @param {number} index -1 is none */
  #pick(index) {
    this.#chosen = index;
    this.#choose(this.#rows.list[index] ?? null);
    if (this.#container.clientWidth > 0) this.#window();
  }

  /** x of a lane. @param {number} lane @param {number} k */
  #x(lane, k) {
    const width = this.#container.clientWidth, narrow = width < 480 * k;
    const left = (narrow ? 82 : 108) * k, right = width - (narrow ? 36 : 52) * k;
    const lanes = this.#rows.lanes.length;
    return lanes < 2 ? (left + right) / 2 : left + ((right - left) * lane) / (lanes - 1);
  }

  /** @param {number} k */
  #lanes(k) {
    const width = this.#container.clientWidth;
    set(this.#head, { width, height: 30 * k, viewBox: `0 0 ${width} ${30 * k}` });
    this.#head.replaceChildren(...this.#rows.lanes.map((name, i) =>
      svg('text', { x: this.#x(i, k), y: 19 * k, 'text-anchor': 'middle' }, clip(titles[name] ?? name, 14))));
  }

  /** Draws the rows in sight. */
  #window() {
    const k = unit(), height = rowHeight * k;
    const last = Math.min(this.#rows.list.length, Math.ceil((this.#scroll.scrollTop + this.#scroll.clientHeight) / height) + spare);
    // Of another link there may be fewer rows than were scrolled past.
    const first = Math.max(0, Math.min(last, Math.floor(this.#scroll.scrollTop / height) - spare));
    const width = this.#container.clientWidth, tall = (last - first) * height + 6 * k;
    set(this.#root, { width, height: tall, viewBox: `0 0 ${width} ${tall}` });
    this.#root.style.top = `${first * height}px`;
    const drawn = [];
    for (let i = 0; i < this.#rows.lanes.length; i++) {
      drawn.push(svg('path', { class: 'lane', d: `M${this.#x(i, k)} 0V${tall}` }));
    }
    for (let i = first; i < last; i++) drawn.push(this.#row(i, (i - first) * height + 16 * k, k));
    this.#root.replaceChildren(...drawn);
  }

  /** @param {number} index @param {number} y @param {number} k */
  #row(index, y, k) {
    const row = this.#rows.list[index];
    const g = svg('g', { class: `row ${row.kind}`, 'data-layer': row.layer, 'data-chosen': String(index === this.#chosen) });
    g.append(svg('rect', { class: 'hit', x: 0, y: y - 16 * k, width: this.#container.clientWidth, height: rowHeight * k }));
    g.addEventListener('click', () => this.#pick(index === this.#chosen ? -1 : index));
    if (row.kind === 'gap') {
      g.append(svg('text', { x: this.#container.clientWidth / 2, y, 'text-anchor': 'middle', class: 'gap-text' }, row.text));
      return g;
    }
    g.append(svg('text', { class: 'at', x: 62 * k, y: y + 4 * k, 'text-anchor': 'end' }, time(row.at)));
    const a = this.#x(row.from, k), b = this.#x(row.to, k);
    if (row.kind === 'arrow') {
      const way = Math.sign(b - a), tip = b - way * 2 * k;
      g.append(
        svg('path', { class: 'shaft', d: `M${a} ${y + 4 * k}H${tip - way * 6 * k}` }),
        svg('path', { class: 'tip', d: `M${tip} ${y + 4 * k}l${-way * 8 * k} ${-4 * k}v${8 * k}z` }));
      this.#label(g, row, (a + b) / 2, y - 2 * k, 'middle', Math.abs(b - a) - 18 * k, k);
      return g;
    }
    const end = row.kind === 'end';
    g.append(row.kind === 'mark'
      ? svg('circle', { class: 'dot', cx: a, cy: y, r: 3.6 * k })
      : svg('path', { class: 'bracket', d: end ? `M${a - 5 * k} ${y - 5 * k}V${y + 3 * k}H${a + 5 * k}V${y - 5 * k}` : `M${a - 5 * k} ${y + 6 * k}V${y - 3 * k}H${a + 5 * k}V${y + 6 * k}` }));
    // On the right half of the ladder there is more room to the left.
    const left = a > this.#container.clientWidth * 0.6;
    const room = left ? a - 78 * k : this.#container.clientWidth - a - 18 * k;
    this.#label(g, row, a + (left ? -11 : 11) * k, y + 4 * k, left ? 'end' : 'start', room, k);
    return g;
  }

  /**
   * The layer in its colour, then the words, cut to the room there is.
   * @param {SVGGElement} g @param {Row} row @param {number} x @param {number} y @param {string} anchor @param {number} room @param {number} k
   */
  #label(g, row, x, y, anchor, room, k) {
    const letters = Math.max(6, Math.floor(room / (6.6 * k)) - row.layer.length - 1);
    const tag = svg('tspan', { class: 'layer-tag' }, row.layer);
    g.append(svg('text', { class: 'label', x, y, 'text-anchor': anchor }, tag, ' ' + clip(row.text, letters)));
  }

  #table() {
    const rows = this.#rows.list.filter((row) => row.kind !== 'gap').slice(-300);
    const lanes = this.#rows.lanes.map((name) => titles[name] ?? name);
    table(this.#tableBox, {
      caption: rows.length < this.length ? `The last ${rows.length} of ${this.length} rows` : `${rows.length} rows`,
      columns: [{ title: 'Time', numeric: true }, { title: 'Layer' }, { title: 'Who' }, { title: 'What' }],
      rows: rows.map((row) => ({
        cells: [time(row.at), row.layer, row.kind === 'arrow' ? `${lanes[row.from]} → ${lanes[row.to]}` : lanes[row.from], row.text],
        attrs: { 'data-layer': row.layer },
      })),
      empty: this.#empty.textContent ?? '',
    });
  }
}

/** @param {number} at milliseconds */
export function time(at) { return at < 100000 ? `${at.toFixed(at < 10000 ? 1 : 0)} ms` : `${(at / 1000).toFixed(1)} s`; }

/** @param {string} text @param {number} most */
function clip(text, most) { return text.length > most ? text.slice(0, Math.max(1, most - 1)) + '…' : text; }
