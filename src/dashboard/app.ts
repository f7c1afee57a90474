/**
 * The page: what streams now, a live chart that joins history to live, and the newest values. It polls the
 * server's numbers each second while it is looked at and follows one tail; everything else is a view of
 * `selection`, `catalogue` and `feed`.
 */
import { TailClient } from '../client/index.ts';
import type { LinkState, WebSocketConstructor } from '../client/index.ts';
import { RequestFailed, getJson } from './api.ts';
import { ChartPanel } from './chart-panel.ts';
import { Controls } from './controls.ts';
import { byId, setText } from './dom.ts';
import { Feed } from './feed.ts';
import type { FeedRequest } from './feed.ts';
import { LedgerLine } from './ledger.ts';
import { Overview } from './overview.ts';
import { parseDevices, parseLatest, parseLedger, parseMeasurements, parseStats } from './payloads.ts';
import type { DeviceInfo, Stats } from './payloads.ts';
import { Picker } from './picker.ts';
import { poll } from './poll.ts';
import {
  WINDOWS,
  chooseMeasurement,
  devicesOf,
  drawn,
  fromFragment,
  settle,
  toFragment,
  toggleDevice,
} from './selection.ts';
import type { Catalogue, PageSelection } from './selection.ts';
import { LiveDevices } from './live-devices.ts';
import { statusOf } from './status.ts';
import { LatestTable } from './table.ts';
import { startTheme } from './theme.ts';

const STATS_INTERVAL_MS = 1_000;
const LATEST_INTERVAL_MS = 2_000;
const CATALOGUE_INTERVAL_MS = 3_000;
/** Pages of devices that are read; beyond them a device is found by its address only. */
const MAX_DEVICE_PAGES = 10;

let selection: PageSelection = fromFragment(location.hash);
let catalogue: Catalogue = { measurements: [], devices: [] };
let link: LinkState = { name: 'connecting' };
let stats: Stats | null = null;
let statsAtMs = 0;
let problem: string | null = null;
let paused = false;

const socketUrl = new URL('v1/tail', document.baseURI);
socketUrl.protocol = socketUrl.protocol === 'https:' ? 'wss:' : 'ws:';
socketUrl.hash = '';
const tail = new TailClient({
  url: socketUrl.href,
  // The DOM's types exclude bytes in shared memory, which a tail never sends.
  WebSocket: WebSocket as WebSocketConstructor,
  onState: linkChanged,
});
const feed = new Feed(tail, Date.now);
const liveDevices = new LiveDevices(tail, deviceSeen);
const overview = new Overview();
const table = new LatestTable();
const ledger = new LedgerLine();
const panel = new ChartPanel(feed, (values) => picker.setValues(values));
const picker = new Picker(
  (device) => choose(toggleDevice(selection, device)),
  (device) => panel.point(device),
);
const controls = new Controls({
  onMeasurement: (name) => choose(chooseMeasurement(selection, name, catalogue)),
  onField: (field) => choose({ ...selection, field }),
  onWindow: (window) => choose({ ...selection, window }),
});

startTheme(() => panel.recolour());
startPause();
addEventListener('hashchange', () => select(settle(fromFragment(location.hash), catalogue)));
panel.run(isWatched);
poll(pollStats, STATS_INTERVAL_MS, isWatched);
poll(pollLedger, LATEST_INTERVAL_MS, isWatched);
poll(pollCatalogue, CATALOGUE_INTERVAL_MS, isWatched);
const latestPoll = poll(pollLatest, LATEST_INTERVAL_MS, isWatched);

function isWatched(): boolean {
  return !paused && document.visibilityState === 'visible';
}

async function pollStats(): Promise<void> {
  try {
    stats = await getJson('v1/stats', parseStats);
    statsAtMs = Date.now();
    problem = null;
    overview.show(stats);
    if (stats.store.up) feed.storeIsUp();
  } catch (error) {
    problem = messageOf(error);
  }
  showStatus();
}

/** What there is, each part by itself: measurements are known while the store, which knows the devices, is away. */
async function pollCatalogue(): Promise<void> {
  const [measurements, devices] = await Promise.all([
    orNull(getJson('v1/measurements', parseMeasurements)),
    orNull(allDevices()),
  ]);
  if (measurements === null) return;
  if (devices !== null) liveDevices.follow(null);
  catalogue = { measurements, devices: devices ?? catalogue.devices };
  select(settle(selection, catalogue));
  if (devices === null) liveDevices.follow(selection.measurement);
}

/** Null for what cannot be had now; the numbers above say it when the server is away. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    console.debug(messageOf(error));
    return null;
  }
}

function deviceSeen(device: string, measurement: string): void {
  const known = catalogue.devices.find((info) => info.device === device);
  const measurements = [...new Set([...(known?.measurements ?? []), measurement])];
  const others = catalogue.devices.filter((info) => info !== known);
  catalogue = { ...catalogue, devices: [...others, { device, connected: true, measurements }] };
  select(settle(selection, catalogue));
}

async function allDevices(): Promise<DeviceInfo[]> {
  const devices: DeviceInfo[] = [];
  let query = '';
  for (let page = 0; page < MAX_DEVICE_PAGES; page++) {
    const answer = await getJson(`v1/devices${query}`, parseDevices);
    devices.push(...answer.devices);
    if (answer.cursor === null) break;
    query = `?cursor=${encodeURIComponent(answer.cursor)}`;
  }
  return devices;
}

async function pollLedger(): Promise<void> {
  try {
    ledger.show(await getJson('v1/ledger', parseLedger));
  } catch (error) {
    console.debug(messageOf(error));
  }
}

async function pollLatest(): Promise<void> {
  const measurement = catalogue.measurements.find(({ name }) => name === selection.measurement);
  if (measurement === undefined) return;
  try {
    const latest = await getJson(
      `v1/latest?measurement=${encodeURIComponent(measurement.name)}`,
      parseLatest,
    );
    // An answer that was overtaken by another choice is of no use.
    if (measurement.name === selection.measurement) table.show(latest, measurement);
  } catch (error) {
    table.say(`Not readable now: ${messageOf(error)}`);
  }
}

/** Takes on a selection: the views follow, and the feed when what it brings is another. */
function select(next: PageSelection): void {
  const moved = next.measurement !== selection.measurement;
  selection = next;
  controls.show(selection, catalogue);
  picker.show(devicesOf(catalogue, selection.measurement), selection);
  const measurement = catalogue.measurements.find(({ name }) => name === selection.measurement);
  const field = measurement?.fields.find(({ name }) => name === selection.field) ?? null;
  const request = requestOf(selection);
  const isOther = JSON.stringify(request) !== JSON.stringify(feed.request);
  if (isOther) feed.follow(request);
  if (isOther || moved || !panel.isLoaded) panel.show(selection, field);
  if (moved) {
    table.clear();
    latestPoll.now();
  }
}

/** A selection that somebody made: the address keeps it. What the page picks by itself leaves no trace. */
function choose(next: PageSelection): void {
  select(next);
  history.replaceState(null, '', toFragment(selection));
}

function requestOf(selection: PageSelection): FeedRequest | null {
  const { measurement, field, window } = selection;
  if (measurement === null || field === null) return null;
  const devices = drawn(selection).map(({ device }) => device);
  return { measurement, field, devices, window, windowMs: WINDOWS[window] };
}

function linkChanged(state: LinkState): void {
  link = state;
  showStatus();
}

function showStatus(): void {
  const status = statusOf({ link, stats, problem, statsAtMs, paused });
  const pill = byId('status', HTMLElement);
  const notice = byId('notice', HTMLElement);
  setText(pill, status.label);
  for (const element of [pill, notice, byId('race', HTMLElement)]) element.dataset['tone'] = status.tone;
  notice.hidden = status.notice === null;
  setText(byId('notice-text', HTMLElement), status.notice ?? '');
  setText(byId('notice-detail', HTMLElement), status.detail);
}

function startPause(): void {
  const button = byId('pause', HTMLButtonElement);
  button.addEventListener('click', () => {
    paused = !paused;
    button.setAttribute('aria-pressed', String(paused));
    // The name says what it will do; on a phone it has no other label.
    button.setAttribute('aria-label', paused ? 'Resume' : 'Pause');
    setText(byId('pause-label', HTMLElement), paused ? 'Resume' : 'Pause');
    showStatus();
  });
}

function messageOf(error: unknown): string {
  if (error instanceof RequestFailed) return error.message;
  throw error;
}
