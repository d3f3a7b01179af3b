// @ts-check
// The form of a lab: sliders beside the numbers, the settings in the address,
// so that they can be linked to. Without script the form works as it is.
import { must } from './dom.js';

const form = must('lab-form', HTMLFormElement);

for (const box of form.querySelectorAll('.number')) {
  const [slider, field] = /** @type {HTMLInputElement[]} */ ([...box.querySelectorAll('input')]);
  slider.addEventListener('input', () => {
    field.value = slider.value;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  });
  field.addEventListener('input', () => { slider.value = field.value; });
}

// A refused value is gone to at once; what the address says is not changed then.
const refused = form.querySelector('[aria-invalid="true"], .param:has(.problem) legend');
if (refused instanceof HTMLElement) refused.focus();

if (!document.body.classList.contains('run')) {
  form.addEventListener('change', () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === 'string') query.set(name, value);
    for (const [name, value] of defaults) if (query.get(name) === value) query.delete(name);
    const text = query.toString();
    history.replaceState(null, '', form.action.replace(/\/runs$/, '') + (text ? `?${text}` : ''));
  });
}

/** What the address leaves out, told by the table of limits. @type {Map<string, string>} */
const defaults = new Map([...form.querySelectorAll('.limits tbody tr')].map((row) => {
  const cells = /** @type {HTMLTableRowElement} */ (row).cells;
  return [cells[0].textContent ?? '', cells[2].textContent ?? ''];
}));
