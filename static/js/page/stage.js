// @ts-check
// The views of a run and what moves through it: facts, tabs, pause and steps.
// A view that nobody looks at is not fed; it catches up when it is chosen.
import { DocumentView } from '../view/documentview.js';
import { FactCards } from '../view/factcards.js';
import { LanesView } from '../view/lanesview.js';
import { LogView } from '../view/log.js';
import { detail } from '../view/detail.js';
import { Matrix } from '../view/matrix.js';
import { PacketList } from '../view/packetlist.js';
import { Plots } from '../view/plots.js';
import { StateTables } from '../view/statetables.js';
import { Verdicts } from '../view/verdicts.js';
import { Waterfall } from '../view/waterfall.js';
import { isCell, isLine } from '../run/lanes.js';
import { el } from './dom.js';
import { frames } from './frames.js';
import { shortcutsDialog } from './stagekeys.js';
import { tabs } from './tabs.js';
import { Transport } from './transport.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {import('../run/player.js').Player} Player */
/**
 * @typedef {object} View
 * @property {string} label
 * @property {number} count of what it shows
 * @property {() => void} reset forgets everything
 * @property {(event: Event) => void} push takes one more event
 * @property {(now: number) => void} draw shows what it has; now: milliseconds since the start
 * @property {(key: string) => boolean} [key] a key it may take
 * @property {() => void} [toEnd]
 */

/** @type {Record<string, string>} names of views, as a lab's description has them */
const labels = { lanes: 'Lanes', waterfall: 'Waterfall', chart: 'Charts', state: 'State', packets: 'Packets', log: 'Log', matrix: 'Matrix', document: 'Document' };

/** Views that not every run of a lab has something for, and what that is. @type {Record<string, (e: Event) => boolean>} */
const sometimes = { document: isLine, waterfall: (e) => e.kind === 'span' };

/** Views that can show something of these events, the most telling first. @param {Event[]} events */
export function viewsFor(events) {
  const has = (/** @type {(e: Event) => boolean} */ test) => events.some(test);
  return [
    has(isCell) && 'matrix', has((e) => e.kind === 'message') && 'lanes', has((e) => e.kind === 'span') && 'waterfall', has((e) => e.kind === 'sample') && 'chart',
    has((e) => e.kind === 'state' && !isCell(e) && !isLine(e)) && 'state', has(isLine) && 'document', has((e) => e.kind === 'message') && 'packets', 'log',
  ].filter((v) => typeof v === 'string');
}

export class Stage {
  #player;
  #facts;
  #factsFed = 0;
  #verdicts;
  #verdictsFed = 0;
  /** @type {Map<string, {view: View, panel: HTMLElement, fed: number}>} */
  #views = new Map();
  #current = '';
  /** views of sometimes that the events looked at so far have something for @type {Set<string>} */
  #seen = new Set();
  #lookedAt = 0;
  /** somebody has chosen a view */
  #chosen = false;
  #transport;
  /** @type {(() => void)|null} */
  #help = null;
  /** draws at the next frame */
  redraw = frames((elapsed) => this.#draw(elapsed));

  /**
   * @param {HTMLElement} root @param {Player} player @param {string[]} names of views @param {string} [first]
   * @param {import('../view/bytes.js').Ask} [ask] for the bytes of a packet
   */
  constructor(root, player, names, first = names[0], ask) {
    this.#player = player;
    const factBox = el('div', { 'data-testid': 'facts', hidden: '', role: 'region', 'aria-label': 'Results', tabindex: '0' });
    this.#facts = new FactCards(factBox);
    const verdictBox = el('div', { class: 'verdicts', role: 'status', 'data-testid': 'verdicts', hidden: '' });
    this.#verdicts = new Verdicts(verdictBox);
    this.#transport = new Transport(player, () => this.#views.get(this.#current)?.view.toEnd?.());
    const list = el('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Views of the run' });
    const panels = names.map((name) => {
      const chosen = name === first;
      const tab = el('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `view-${name}`, 'aria-selected': String(chosen), 'data-testid': `tab-${name}` }, labels[name] ?? name);
      if (!chosen) tab.tabIndex = -1;
      list.append(tab);
      const panel = el('div', { id: `view-${name}`, role: 'tabpanel', 'aria-labelledby': `tab-${name}`, class: `view view-${name}`, 'data-testid': `view-${name}` });
      panel.hidden = !chosen;
      this.#views.set(name, { view: make(name, panel, ask), panel, fed: 0 });
      return panel;
    });
    root.replaceChildren(verdictBox, factBox, list, ...panels, this.#transport.element);
    this.#current = first;
    tabs(list, (name) => { this.#current = name; this.#chosen = true; this.redraw(); });
    player.addEventListener('change', this.redraw);
    this.#help = shortcutsDialog(root, {
      toggle: () => player.toggle(), step: (by) => player.step(by), live: () => this.#transport.live(),
      tab: (n) => document.getElementById(`tab-${names[n]}`)?.click(), key: (key) => this.#views.get(this.#current)?.view.key?.(key) ?? false,
    });
    this.#transport.help.addEventListener('click', this.#help);
    this.redraw();
  }

  /** @param {number} elapsed */
  #draw(elapsed) {
    const playing = this.#player.tick(elapsed);
    this.#factsFed = feed(this.#facts, this.#factsFed, this.#player);
    this.#facts.draw();
    this.#verdictsFed = feed(this.#verdicts, this.#verdictsFed, this.#player);
    this.#verdicts.draw();
    const shown = this.#views.get(this.#current);
    if (shown) {
      shown.fed = feed(shown.view, shown.fed, this.#player);
      shown.view.draw(this.#player.now);
    }
    this.#transport.draw();
    this.#offer();
    this.#prefer();
    return playing;
  }

  /** Their tabs are there when there is something to show. */
  #offer() {
    const { events } = this.#player, names = Object.keys(sometimes).filter((name) => this.#views.has(name));
    for (; this.#seen.size < names.length && this.#lookedAt < events.length; this.#lookedAt++) {
      for (const name of names) if (sometimes[name](events[this.#lookedAt])) this.#seen.add(name);
    }
    for (const name of names) {
      const tab = document.getElementById(`tab-${name}`);
      if (tab) tab.hidden = !this.#seen.has(name) && this.#current !== name;
    }
  }

  /** A run that only fills a table is shown as one, unless somebody has chosen a view. */
  #prefer() {
    if (this.#chosen || this.#views.get(this.#current)?.view.count || !this.#views.has('matrix') || !this.#player.events.some(isCell)) return;
    document.getElementById('tab-matrix')?.click();
  }
}

/** Brings a view to what is shown now. @param {{reset: () => void, push: (e: Event) => void}} view @param {number} fed @param {Player} player */
function feed(view, fed, player) {
  if (fed > player.shown) {
    view.reset();
    fed = 0;
  }
  for (; fed < player.shown; fed++) view.push(player.events[fed]);
  return fed;
}

/** @param {string} name @param {HTMLElement} panel @param {import('../view/bytes.js').Ask} [ask] @returns {View} */
function make(name, panel, ask) {
  switch (name) {
    case 'lanes': return new LanesView(panel);
    case 'chart': return new Plots(panel);
    case 'state': return new StateTables(panel);
    case 'matrix': return new Matrix(panel);
    case 'document': return new DocumentView(panel);
    case 'packets': return new PacketList(panel, ask);
    case 'waterfall': {
      const more = el('div', { class: 'ladder-detail', 'aria-live': 'polite', hidden: '' });
      const made = new Waterfall(panel, (event) => detail(more, event));
      panel.append(more);
      return made;
    }
    default: return new LogView(panel);
  }
}
