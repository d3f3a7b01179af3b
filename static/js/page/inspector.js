// @ts-check
// Why the path is what it is, and the evidence under it.
import { allCandidates } from '../inspect/candidates.js';
import { badge, inFull } from '../inspect/natwords.js';
import { redact } from '../inspect/redact.js';
import { Chart } from '../view/chart.js';
import { table } from '../view/table.js';
import { el, must, say, soon, within } from './dom.js';
import { facts } from './facts.js';
import { bytes, ms, rate } from './format.js';
import { ladder } from './ladder.js';
import { measure } from './measure.js';
import { tabs } from './tabs.js';

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('../inspect/stats.js').Candidate} Candidate */
/** @typedef {import('../inspect/stats.js').Snapshot} Snapshot */
/** @typedef {import('./context.js').Context} Context */

/** @type {Record<string, string>} RFC 8445 section 5.1.1, in words */
const kinds = { host: 'host, its own', srflx: 'srflx, seen by STUN', prflx: 'prflx, found by a check', relay: 'relay, lent by TURN' };

/** @param {Context} context */
export function inspector(context) {
  const { room, selection, histories, recorder } = context;
  let tab = 'ladder';
  const views = { ladder: ladder(context), measure: measure(context), candidates: candidates(), pairs: pairs(), charts: charts(context) };

  const draw = soon(() => {
    why(selection.link);
    const view = views[/** @type {keyof typeof views} */ (tab)];
    view.draw(selection.link);
    for (const id of ['restart-ice', 'new-session']) must(id, HTMLButtonElement).disabled = !selection.link;
  }, 80);

  tabs(within(document, '#inspect [role="tablist"]', HTMLElement), (name) => { tab = name; draw(); });
  must('restart-ice', HTMLButtonElement).addEventListener('click', () => selection.link?.restartIce());
  must('new-session', HTMLButtonElement).addEventListener('click', () => selection.link?.newSession());
  must('export', HTMLButtonElement).addEventListener('click', () => {
    const run = recorder.toJSON();
    save(must('redact', HTMLInputElement).checked ? redact(run) : run);
  });
  room.addEventListener('link', (e) => {
    const link = /** @type {CustomEvent<Link>} */ (e).detail;
    histories.of(link);
    for (const kind of ['change', 'stats']) link.addEventListener(kind, () => { if (selection.link === link) draw(); });
  });
  for (const source of [room, selection]) source.addEventListener('change', draw);
  draw();
}

/** @param {Link|null} link */
function why(link) {
  const box = must('why', HTMLElement), change = must('why-change', HTMLElement);
  box.dataset.path = link?.state === 'failed' ? 'failed' : link?.path ?? 'unknown';
  say(must('why-sentence', HTMLElement), link ? link.explanation.sentence || 'Finding a path.' : 'When somebody is here, this says how you reach each other, and why.');
  const advice = link?.explanation.change ?? [];
  change.hidden = advice.length === 0;
  const list = within(change, 'ul', HTMLUListElement);
  if (list.dataset.content !== JSON.stringify(advice)) {
    list.dataset.content = JSON.stringify(advice);
    list.replaceChildren(...advice.map((text) => el('li', {}, text)));
  }
  between(link);
  const stats = link?.stats;
  const dl = must('facts', HTMLElement);
  dl.hidden = !stats;
  if (!stats || !link) return;
  facts(dl, [
    ['ICE', stats.ice], ['DTLS', stats.dtls || '–'], ['SCTP', stats.sctp || '–'], ['session', String(link.session)],
    ['round trip', stats.rtt === null ? '–' : ms(stats.rtt)], ['sent', bytes(stats.bytesSent)], ['received', bytes(stats.bytesReceived)],
  ]);
}

/** The NATs on both sides, and what the rule makes of them. @param {Link|null} link */
function between(link) {
  const dl = must('nats', HTMLElement);
  /** @type {[string, string, string][]} who, a few words, the rest */
  const rows = [];
  if (link) {
    const { mine, theirs } = link.nats;
    if (mine) rows.push(['You', badge(mine), inFull(mine, 'browser')]);
    if (theirs) rows.push([link.peer.name, badge(theirs), inFull(theirs, link.peer.kind)]);
    if (link.explanation.rule) rows.push(['By rule', '', link.explanation.rule]);
  }
  dl.hidden = rows.length === 0;
  if (dl.dataset.content === JSON.stringify(rows)) return;
  dl.dataset.content = JSON.stringify(rows);
  dl.replaceChildren(...rows.map(([who, few, rest]) => el('div', {}, el('dt', {}, who), el('dd', {}, ...(few ? [el('strong', {}, few), '. '] : []), rest))));
}

function candidates() {
  const box = must('view-candidates', HTMLElement);
  const mine = el('div'), theirs = el('div');
  box.append(mine, theirs);
  const columns = [{ title: 'Type' }, { title: 'Address', mono: true }, { title: 'By' }, { title: 'Priority', numeric: true }];
  /** @param {HTMLElement} where @param {string} caption @param {Candidate[]} list @param {Set<string>} used */
  const show = (where, caption, list, used) => table(where, {
    caption, columns, empty: 'None known yet.',
    rows: [...list].sort((a, b) => b.priority - a.priority).map((c) => ({
      cells: [(used.has(c.id) ? '● ' : '') + (kinds[c.type] ?? c.type), address(c), c.relayProtocol ? `${c.protocol} over ${c.relayProtocol}` : c.protocol, String(c.priority)],
      attrs: { 'data-type': c.type, 'data-used': String(used.has(c.id)) },
    })),
  });
  return {
    /** @param {Link|null} link */
    draw(link) {
      const stats = link?.stats;
      const used = new Set([stats?.selected?.local?.id ?? '', stats?.selected?.remote?.id ?? '']);
      const announced = link?.candidates ?? { local: [], remote: [] };
      show(mine, 'Yours. ● is in use', allCandidates(stats?.local ?? [], announced.local), used);
      show(theirs, `${link?.peer.name ?? 'Theirs'}. ● is in use`, allCandidates(stats?.remote ?? [], announced.remote), used);
    },
  };
}

/** @param {Candidate|null} c */
function address(c) {
  if (!c) return 'unknown';
  if (!c.address) return 'hidden by the browser';
  const host = c.address.includes(':') ? `[${c.address}]` : c.mdns ? `${c.address.slice(0, 8)}….local` : c.address;
  return `${host}:${c.port}`;
}

function pairs() {
  const box = must('view-pairs', HTMLElement);
  const order = ['succeeded', 'in-progress', 'waiting', 'frozen', 'failed'];
  return {
    /** @param {Link|null} link */
    draw(link) {
      const list = [...(link?.stats?.pairs ?? [])].sort((a, b) => Number(b.selected) - Number(a.selected) || order.indexOf(a.state) - order.indexOf(b.state));
      table(box, {
        caption: 'Each pair is one candidate of yours with one of theirs', empty: 'No pair has been formed yet.',
        columns: [{ title: 'State' }, { title: 'Yours', mono: true }, { title: 'Theirs', mono: true }, { title: 'Checks', numeric: true }, { title: 'RTT', numeric: true }],
        rows: list.map((p) => ({
          cells: [(p.selected ? '● in use' : p.state) + (p.nominated && !p.selected ? ', nominated' : ''), `${p.local?.type ?? '?'} ${address(p.local)}`, `${p.remote?.type ?? '?'} ${address(p.remote)}`,
            `${p.responsesReceived}/${p.requestsSent}`, p.rtt === null ? '–' : ms(p.rtt)],
          attrs: { 'data-state': p.state, 'data-selected': String(p.selected) },
        })),
      });
    },
  };
}

/** @param {Context} context */
function charts({ histories }) {
  const box = must('view-charts', HTMLElement);
  const part = (/** @type {string} */ title) => {
    const chart = el('div', { class: 'chart' });
    box.append(el('section', {}, el('h3', {}, title), chart));
    return chart;
  };
  const rtt = new Chart(part('Round trip'), { title: 'Round trip', format: ms, seconds: 120, empty: 'Nothing measured yet' });
  const flow = new Chart(part('Throughput'), { title: 'Throughput', format: rate, seconds: 120, empty: 'Nothing measured yet' });
  return {
    /** @param {Link|null} link */
    draw(link) {
      const history = link && histories.of(link);
      rtt.draw([{ name: 'ICE', look: 'ice', samples: history?.rtt ?? [] }, { name: 'data channel', look: 'channel', samples: history?.ping ?? [] }]);
      flow.draw([{ name: 'sent', look: 'up', samples: history?.up ?? [] }, { name: 'received', look: 'down', samples: history?.down ?? [] }]);
    },
  };
}

/** @param {import('../inspect/recorder.js').Run} run */
function save(run) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(run, null, 1)], { type: 'application/json' }));
  el('a', { href: url, download: `peerlab-${run.started.replace(/[:.]/g, '-')}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
