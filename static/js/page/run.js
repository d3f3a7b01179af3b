// @ts-check
// The page of a run: its events as they come, how it stands, its buttons.
// In the console, `peerlab.player` is there to look at.
import { Player } from '../run/player.js';
import { Stream } from '../run/stream.js';
import { commands, reachable } from './commands.js';
import { copyButtons } from './copy.js';
import { must, say } from './dom.js';
import { packetsOf } from './packetbytes.js';
import { Stage } from './stage.js';

/** @typedef {import('../run/stream.js').Status} Status */
/** @typedef {import('../inspect/recorder.js').Event} Event */

const head = must('run', HTMLElement), stage = must('stage', HTMLElement);
const notice = must('run-notice', HTMLElement), clock = must('run-time', HTMLElement);
const player = new Player();
const wanted = (stage.dataset.views ?? '').split(' ').filter(Boolean);
const names = [...wanted, ...(wanted.includes('log') ? [] : ['log'])];
new Stage(stage, player, names, names.includes(location.hash.slice(1)) ? location.hash.slice(1) : names[0], packetsOf(head.dataset.run ?? ''));
const fill = commands();
copyButtons(must('run-share', HTMLElement));
Object.assign(window, { peerlab: { player } });

const stream = new Stream(`/runs/${encodeURIComponent(head.dataset.run ?? '')}/events`);
/** when the run began by this clock, which may differ from the server's @type {number|null} */
let began = null;

stream.addEventListener('events', (e) => {
  const events = /** @type {CustomEvent<Event[]>} */ (e).detail;
  const now = performance.now(), last = events[events.length - 1].at_ns / 1e6;
  began = began === null ? now - last : Math.min(began, now - last);
  for (const event of events) fill(event);
  player.push(events);
  head.dataset.events = String(player.events.length);
});
stream.addEventListener('status', (e) => status(/** @type {CustomEvent<Status>} */ (e).detail));
stream.addEventListener('state', (e) => {
  const state = /** @type {CustomEvent<import('../run/stream.js').State>} */ (e).detail;
  head.dataset.stream = state;
  tell({ reconnecting: 'The server cannot be reached; trying again. Nothing is missed: the run is read on from here.', gone: 'The run cannot be read any more. Load the page again.' }[String(state)] ?? '');
});
stream.start();
tick();

/** @param {Status} now */
function status(now) {
  head.dataset.state = now.state;
  say(must('run-state', HTMLElement), now.state);
  const why = must('run-why', HTMLElement);
  say(why, now.dropped > 0 ? `${now.why} ${now.dropped} events found no room in the record.`.trim() : now.why);
  why.hidden = why.textContent === '';
  const watchers = must('run-watchers', HTMLElement);
  watchers.dataset.count = String(now.watchers);
  say(watchers, now.watchers < 2 ? '' : `${now.watchers} are watching`);
  for (const button of document.querySelectorAll('.while-running button')) /** @type {HTMLButtonElement} */ (button).disabled = now.state !== 'running';
  reachable(now.state === 'running');
  if (now.state !== 'running') tick();
}

/** The clock of the run, while it runs; at its end the time of its last event. */
function tick() {
  const running = head.dataset.state === 'running';
  const last = player.events.length > 0 ? player.events[player.events.length - 1].at_ns / 1e6 : 0;
  const elapsed = running && began !== null ? performance.now() - began : last;
  player.advance(running ? elapsed : 0);
  if (elapsed > 0) say(clock, `${(elapsed / 1000).toFixed(1)} s`);
  if (running) setTimeout(tick, 100);
}

/** @param {string} words */
function tell(words) {
  say(notice, words);
  notice.hidden = words === '';
}

for (const form of document.querySelectorAll('form[data-act]')) {
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const button = form.querySelector('button');
    if (!(form instanceof HTMLFormElement) || !button) return;
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: 'POST', headers: { Accept: 'application/json' } });
      const said = answer.ok ? {} : await answer.json().catch(() => ({}));
      tell(answer.ok ? '' : said.message ?? `The server answered ${answer.status}.`);
    } catch {
      tell('The server cannot be reached.');
    }
    button.disabled = head.dataset.state !== 'running';
  });
}
