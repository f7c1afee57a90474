import { byId } from './dom.ts';

type Theme = 'light' | 'dark';
const KEY = 'millrace.theme';
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

/** Applies the reader's choice, or the system's without one. `changed` runs after every change. */
export function startTheme(changed: () => void): void {
  const button = byId('theme', HTMLButtonElement);
  const apply = () => {
    const theme = chosen();
    if (theme === null) delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    button.setAttribute('aria-pressed', String(current() === 'dark'));
    changed();
  };
  button.addEventListener('click', () => {
    choose(current() === 'dark' ? 'light' : 'dark');
    apply();
  });
  systemIsDark.addEventListener('change', apply);
  apply();
}

function current(): Theme {
  return chosen() ?? systemTheme();
}

function systemTheme(): Theme {
  return systemIsDark.matches ? 'dark' : 'light';
}

// Storage can be forbidden by the browser's settings: then the choice holds until the page is left.
let memory: Theme | null = null;

function chosen(): Theme | null {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === 'light' || stored === 'dark' ? stored : memory;
  } catch {
    return memory;
  }
}

/** The system's own theme needs no remembering: it may change later, and the page with it. */
function choose(theme: Theme): void {
  memory = theme === systemTheme() ? null : theme;
  try {
    if (memory === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, memory);
  } catch {
    return;
  }
}
