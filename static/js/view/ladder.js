// @ts-check
// The ladder, a sequence diagram: one lane for each that takes part, time
// running down, an arrow for each message, aslant by the time it took, a cross
// where it was lost. Only the rows in sight are in the page, so ten thousand
// events cost no more than thirty.
import { arrow, clip, label, layerText, time } from './ladder-marks.js';
import { LongTable } from './longtable.js';
import { Rows } from './rows.js';
import { set, svg, unit, onWidth } from './svg.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {import('./rows.js').Row} Row */
/**
 * @typedef {object} Shown
 * @property {string[]|null} lanes from left to right; null: all there are
 * @property {string} peer what is about another one is left out
 * @property {Set<string>} hidden layers
 * @property {Set<string>} [without] variants
 * @property {Event[]} events
 * @property {string} empty said when there is nothing
 */

const spare = 8, most = 400;
/** How close rows stand; the farthest has no room for words. */
const heights = [7, 14, 27, 40];

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
  #rows = new Rows([], new Set());
  #titles;
  #asTable = false;
  /** @type {LongTable|null} */
  #table = null;
  /** where somebody scrolled up, new rows do not pull them down */
  #follow = true;
  #zoom = 2;
  #choose;
  #chosen = -1;

  /**
   * @param {HTMLElement} container it scrolls inside
   * @param {(row: Row|null) => void} choose told of the row somebody points at
   * @param {Map<string, string>} [titles] of lanes whose name is not for people
   */
  constructor(container, choose, titles = new Map()) {
    this.#container = container;
    this.#choose = choose;
    this.#titles = titles;
    this.#scroll.className = 'ladder-scroll';
    this.#sheet.className = 'ladder-sheet';
    this.#tableBox.className = 'ladder-table';
    this.#empty.className = 'empty';
    this.#sheet.append(this.#root);
    this.#scroll.append(this.#head, this.#sheet);
    container.append(this.#scroll, this.#tableBox, this.#empty);
    this.#tableBox.hidden = true;
    this.#scroll.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroll;
      this.#follow = scrollTop + clientHeight >= scrollHeight - 4;
      this.#window();
    });
    this.#root.addEventListener('click', (e) => {
      const row = e.target instanceof Element ? e.target.closest('[data-row]') : null;
      if (row) this.#pick(Number(row.getAttribute('data-row')) === this.#chosen ? -1 : Number(row.getAttribute('data-row')));
    });
    container.addEventListener('keydown', (e) => this.#keys(e));
    onWidth(container, () => this.draw());
  }

  /** rows there are @returns {number} */
  get length() { return this.#rows.list.length; }
  /** @returns {string[]} */
  get variants() { return this.#rows.lanes.variants; }
  get follows() { return this.#follow; }

  /** Starts over with these lanes and events. @param {Shown} what */
  show({ lanes, peer, hidden, without, events, empty }) {
    this.#rows = new Rows(lanes, hidden, peer, without);
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

  /** Rows closer together or farther apart, around what is in the middle. @param {number} by steps; 0: as at first */
  zoom(by) {
    const { scrollTop, clientHeight } = this.#scroll, middle = (scrollTop + clientHeight / 2) / this.#height;
    this.#zoom = by === 0 ? 2 : Math.max(0, Math.min(heights.length - 1, this.#zoom + by));
    const follow = this.#follow;
    this.draw();
    if (!follow) this.#scroll.scrollTop = middle * this.#height - clientHeight / 2;
  }

  /** Goes to the newest row, and stays with it. */
  toEnd() {
    this.#follow = true;
    this.draw();
  }

  draw() {
    if (this.paused || this.#container.clientWidth === 0) return;
    const none = this.length === 0;
    this.#empty.hidden = !none;
    this.#tableBox.hidden = none || !this.#asTable;
    this.#scroll.hidden = none || this.#asTable;
    if (none) return;
    if (this.#asTable) return this.#drawTable();
    const k = unit();
    this.#sheet.style.height = `${this.length * this.#height + 6 * k}px`;
    this.#sheet.style.width = this.#head.style.width = `${this.#width}px`;
    this.#lanes(k);
    if (this.#follow) this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#window();
  }

  get #height() { return heights[this.#zoom] * unit(); }

  /** Lanes keep a distance at which their arrows can be told apart; beyond the width one scrolls. */
  get #width() {
    const k = unit(), lanes = this.#rows.lanes.order.count;
    const { left, right } = this.#margins(k);
    return Math.max(this.#container.clientWidth, left + right + (lanes - 1) * (lanes > 6 ? 34 : 72) * k);
  }

  /** @param {number} k */
  #margins(k) {
    const narrow = this.#container.clientWidth < 480 * k;
    return { left: (narrow ? 82 : 108) * k, right: (narrow ? 36 : 52) * k };
  }

  /** Arrow keys go from row to row. @param {KeyboardEvent} e */
  #keys(e) {
    const last = this.length - 1, from = this.#chosen < 0 ? last + 1 : this.#chosen;
    const to = { ArrowDown: from + 1, ArrowUp: from - 1, PageDown: from + 10, PageUp: from - 10, Home: 0, End: last, Escape: -1 }[e.key];
    if (to === undefined || this.#asTable || last < 0) return;
    e.preventDefault();
    this.#pick(to < 0 && e.key === 'Escape' ? -1 : Math.max(0, Math.min(last, to)));
    const height = this.#height, top = this.#chosen * height, head = this.#head.clientHeight;
    if (this.#chosen < 0) return;
    if (top < this.#scroll.scrollTop) this.#scroll.scrollTop = top - height;
    else if (top + 2 * height + head > this.#scroll.scrollTop + this.#scroll.clientHeight) this.#scroll.scrollTop = top + 2 * height + head - this.#scroll.clientHeight;
  }

  /** @param {number} index -1 is none */
  #pick(index) {
    this.#chosen = index;
    this.#choose(this.#rows.list[index] ?? null);
    if (this.#container.clientWidth > 0) this.#window();
  }

  /** x of a lane; NaN of one that is not shown. @param {number} lane @param {number} k */
  #x(lane, k) {
    const { place, count } = this.#rows.lanes.order, at = place[lane];
    return at === undefined || at < 0 ? NaN : this.#at(at, count, k);
  }

  /** @param {number} place @param {number} count @param {number} k */
  #at(place, count, k) {
    const { left, right } = this.#margins(k), end = this.#width - right;
    return count < 2 ? (left + end) / 2 : left + ((end - left) * place) / (count - 1);
  }

  /** The names above. @param {number} k */
  #lanes(k) {
    const lanes = this.#rows.lanes, { place, count } = lanes.order, groups = lanes.groups;
    const width = this.#width;
    const room = count > 1 ? this.#at(1, count, k) - this.#at(0, count, k) : width, aslant = room < 98 * k;
    const above = (groups.length > 0 ? 20 : 0) * k, tall = above + (aslant ? 78 : 30) * k;
    set(this.#head, { width, height: tall, viewBox: `0 0 ${width} ${tall}` });
    const marks = groups.map(({ variant, first, last }) => {
      const a = this.#at(first, count, k) - Math.min(room * 0.42, 60 * k), b = this.#at(last, count, k) + Math.min(room * 0.42, 60 * k);
      return svg('g', { class: 'group' }, svg('path', { d: `M${a} ${24 * k}V${20 * k}H${b}V${24 * k}` }),
        svg('text', { x: (a + b) / 2, y: 14 * k, 'text-anchor': 'middle' }, variant));
    });
    lanes.names.forEach((name, i) => {
      if (place[i] < 0) return;
      const title = this.#titles.get(name) ?? lanes.split(name).name;
      const x = this.#x(i, k), y = tall - (aslant ? 6 : 11) * k;
      marks.push(svg('g', {}, svg('title', {}, name), aslant
        ? svg('text', { x, y, transform: `rotate(-38 ${x} ${y})` }, clip(title, 15))
        : svg('text', { x, y, 'text-anchor': 'middle' }, clip(title, Math.max(3, Math.min(18, Math.floor(room / (7.4 * k))))))));
    });
    this.#head.replaceChildren(...marks);
  }

  /** Draws the rows in sight, and the arrows that come down to them. */
  #window() {
    const k = unit(), height = this.#height;
    const last = Math.min(this.length, Math.ceil((this.#scroll.scrollTop + this.#scroll.clientHeight) / height) + spare);
    // What is shown now may have fewer rows than were scrolled past.
    const first = Math.max(0, Math.min(last, Math.floor(this.#scroll.scrollTop / height) - spare));
    const width = this.#width, tall = (last - first) * height + 6 * k;
    set(this.#root, { width, height: tall, viewBox: `0 0 ${width} ${tall}` });
    this.#root.style.top = `${first * height}px`;
    const drawn = [];
    // What is chosen lies below everything, so that the arrows that pass stay whole.
    for (let i = first; i < last; i++) if (this.#rows.list[i].kind !== 'gap') drawn.push(this.#ground(i, (i - first) * height, height));
    for (let i = 0; i < this.#rows.lanes.names.length; i++) {
      const x = this.#x(i, k);
      if (x > 0) drawn.push(svg('path', { class: 'lane', d: `M${x} 0V${tall}` }));
    }
    const y = (/** @type {number} */ row) => (row - first) * height + Math.min(16 * k, height * 0.6);
    for (let i = this.#rows.reaching(first), n = 0; i < first && n < most; i++) {
      const row = this.#rows.list[i];
      if (row.kind !== 'arrow' || row.arrive === row.at || this.#rows.place(row.arrive) < first) continue;
      drawn.push(svg('g', { class: 'row arrow', 'data-layer': row.layer, 'data-chosen': String(i === this.#chosen) }, ...this.#arrow(row, i, y, k)));
      n++;
    }
    for (let i = first; i < last; i++) drawn.push(this.#row(i, y, k));
    this.#root.replaceChildren(...drawn);
  }

  /** @param {number} index @param {number} y @param {number} height */
  #ground(index, y, height) {
    return svg('rect', { class: 'hit', 'data-row': index, 'data-chosen': String(index === this.#chosen), x: 0, y, width: this.#width, height });
  }

  /** @param {Row} row @param {number} index @param {(row: number) => number} y @param {number} k */
  #arrow(row, index, y, k) {
    const a = this.#x(row.from, k), b = this.#x(row.to, k), down = 4 * k;
    if (!(a > 0 && b > 0)) return [];
    const begin = y(index) + down, end = row.arrive > row.at ? y(Math.max(index + 0.1, this.#rows.place(row.arrive))) + down : begin;
    return arrow({ x: a, y: begin }, { x: b, y: end }, row, k);
  }

  /** @param {number} index @param {(row: number) => number} at @param {number} k */
  #row(index, at, k) {
    const row = this.#rows.list[index], y = at(index), height = this.#height, wide = this.#container.clientWidth;
    const words = height > 20 * k;
    const g = svg('g', { class: `row ${row.kind}`, 'data-layer': row.layer, 'data-chosen': String(index === this.#chosen) });
    if (row.kind === 'gap') {
      if (words) g.append(svg('text', { x: wide / 2, y, 'text-anchor': 'middle', class: 'gap-text' }, row.text));
      return g;
    }
    if (height > 10 * k) g.append(svg('text', { class: 'at', x: 62 * k, y: y + 4 * k, 'text-anchor': 'end' }, time(row.at)));
    if (row.kind === 'note') {
      const x = this.#noteAt(row.variant, k);
      if (words) g.append(svg('text', { class: 'label aside', x, y: y + 4 * k }, clip((row.variant ? row.variant + ': ' : '') + row.text, Math.floor((this.#width - x) / (6.6 * k)))));
      return g;
    }
    const a = this.#x(row.from, k), b = this.#x(row.to, k);
    if (row.kind === 'arrow') {
      g.append(...this.#arrow(row, index, at, k));
      if (!words) return g;
      const steep = this.#rows.place(row.arrive) - index > 1.2, room = Math.abs(b - a) - 18 * k;
      // Beside its beginning where it soon is far below; beside the whole arrow where that is short.
      if (room < 130 * k) this.#beside(g, row, Math.min(a, b), Math.max(a, b), y, k);
      else if (steep) label(g, row, a + Math.sign(b - a) * 10 * k, y - 1 * k, b > a ? 'start' : 'end', room * 0.8, k);
      else label(g, row, (a + b) / 2, y - 2 * k, 'middle', room, k);
      return g;
    }
    const end = row.kind === 'end';
    g.append(row.kind === 'mark'
      ? svg('circle', { class: 'dot', cx: a, cy: y, r: (words ? 3.6 : 2) * k })
      : svg('path', { class: 'bracket', d: end ? `M${a - 5 * k} ${y - 5 * k}V${y + 3 * k}H${a + 5 * k}V${y - 5 * k}` : `M${a - 5 * k} ${y + 6 * k}V${y - 3 * k}H${a + 5 * k}V${y + 6 * k}` }));
    if (!words) return g;
    this.#beside(g, row, a, a, y, k);
    return g;
  }

  /** Words beside what reaches from a to b: where there is more room. @param {SVGGElement} g @param {Row} row @param {number} a @param {number} b @param {number} y @param {number} k */
  #beside(g, row, a, b, y, k) {
    const right = this.#width - b - 18 * k, left = a - 78 * k;
    if (right > left * 0.66) label(g, row, b + 11 * k, y + 4 * k, 'start', right, k);
    else label(g, row, a - 11 * k, y + 4 * k, 'end', left, k);
  }

  /** Where words stand that are about a variant as a whole. @param {string} variant @param {number} k */
  #noteAt(variant, k) {
    const group = this.#rows.lanes.groups.find((g) => g.variant === variant);
    return group ? this.#at(group.first, this.#rows.lanes.order.count, k) : 74 * k;
  }

  #drawTable() {
    this.#table ??= new LongTable(this.#tableBox, {
      columns: [{ title: 'Time', numeric: true }, { title: 'Layer' }, { title: 'Who' }, { title: 'What' }],
      label: 'All rows as a table', choose: (index) => this.#choose(this.#rows.list[index] ?? null),
    });
    const rows = this.#rows.list;
    const name = (/** @type {number} */ lane) => { const n = this.#rows.lanes.names[lane] ?? ''; return this.#titles.get(n) ?? n; };
    this.#table.show({
      of: this.#rows, count: rows.length, caption: `${rows.length} rows`,
      row: (i) => {
        const row = rows[i], who = row.kind === 'gap' ? '' : row.kind === 'note' ? row.variant : row.kind === 'arrow' ? `${name(row.from)} → ${name(row.to)}` : name(row.from);
        const what = row.text + (row.lost ? ' (lost)' : row.arrive > row.at ? `, arrives after ${time(row.arrive - row.at)}` : '');
        return { cells: [time(row.at), layerText(row), who, what], attrs: { 'data-layer': row.layer } };
      },
    });
  }
}
