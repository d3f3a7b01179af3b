// @ts-check
// Every message in a line, with what was decoded of it below: a packet list.
import { el, say } from '../page/dom.js';
import { Bytes } from './bytes.js';
import { detail } from './detail.js';
import { time } from './ladder-marks.js';
import { LongTable } from './longtable.js';
import { Packets } from './packets.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

export class PacketList {
  label = 'Packets';
  #packets = new Packets();
  #query = el('input', { type: 'search', placeholder: 'Find: syn client-1, lost, retransmission …', 'aria-label': 'Show only messages with all these words', maxlength: '100' });
  #note = el('span', { class: 'muted', role: 'status' });
  #detail = el('div', { class: 'ladder-detail', 'aria-live': 'polite', 'data-testid': 'packet-detail' });
  #table;
  #bytes;
  /** @type {import('./packets.js').Packet[]} */
  #shown = [];
  #of = {};

  /** @param {HTMLElement} container @param {import('./bytes.js').Ask} [ask] for the bytes of a packet; without, there are none to see */
  constructor(container, ask) {
    container.append(el('div', { class: 'view-tools' }, this.#query, this.#note));
    this.#table = new LongTable(container, {
      columns: [{ title: '#', numeric: true }, { title: 'At', numeric: true }, { title: 'From', mono: true }, { title: 'To', mono: true }, { title: 'Layer' }, { title: 'What' }, { title: 'Arrives', numeric: true }],
      label: 'Messages; arrow keys go from row to row', choose: (i) => this.#choose(this.#shown[i]?.event ?? null),
    });
    this.#detail.hidden = true;
    container.append(this.#detail);
    this.#bytes = new Bytes(container, ask);
    this.#query.addEventListener('input', () => { this.#of = {}; this.#table.choose(-1); this.draw(); });
  }

  /** @param {Event|null} event */
  #choose(event) {
    detail(this.#detail, event);
    this.#bytes.show(Number(event?.attrs?.packet ?? 0));
  }

  get count() { return this.#packets.list.length; }

  reset() {
    this.#packets = new Packets();
    this.#of = {};
  }

  /** @param {Event} event */
  push(event) { this.#packets.add(event); }

  draw() {
    const { list, lost, again } = this.#packets;
    this.#shown = this.#packets.find(this.#query.value);
    say(this.#note, [`${this.#shown.length}${this.#shown.length < list.length ? ` of ${list.length}` : ''} messages`, lost && `${lost} lost`, again && `${again} sent again`].filter(Boolean).join(', '));
    this.#table.show({
      of: this.#of, count: this.#shown.length, caption: '',
      row: (i) => {
        const { number, event, again } = this.#shown[i];
        const { from = '', to = '', layer = 'app', name = '', text = '', lost, took_ns } = event;
        return {
          cells: [String(number), time(event.at_ns / 1e6), from, to, layer, [name, name.includes(text) ? '' : text].filter(Boolean).join(' '), lost ? '✕ lost' : took_ns ? `+${time(took_ns / 1e6)}` : ''],
          attrs: { 'data-layer': layer, 'data-lost': String(lost === true), 'data-again': String(again) },
        };
      },
    });
  }
}
