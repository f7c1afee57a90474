import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { temporaryFolder } from '../fixtures/folder.ts';
import { freePort } from '../fixtures/free-port.ts';
import { describeWith, findProgram } from '../fixtures/program.ts';
import { startServer } from '../fixtures/server.ts';
import type { ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const CHROMIUM = findProgram('chromium');
const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, colorScheme: 'light' };
const PHONE: BrowserContextOptions = {
  viewport: { width: 360, height: 740 },
  isMobile: true,
  hasTouch: true,
};

interface Visit {
  page: Page;
  /** What must not happen: messages on the console, exceptions, requests to other hosts. */
  complaints: string[];
}

describeWith(CHROMIUM !== null, 'chromium on PATH', 'the page in a real browser', () => {
  const folder = temporaryFolder();
  let port: string;
  let server: ServerProcess;
  let browser: Browser;

  const startDemo = (): Promise<ServerProcess> =>
    startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_PORT: port }, ['demo']);

  async function visit(
    options: BrowserContextOptions,
    fragment = '',
    prepare: (page: Page) => Promise<unknown> = async () => {},
  ): Promise<Visit> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    await prepare(page);
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${server.url}/`)) complaints.push(`requested ${request.url()}`);
    });
    page.on('websocket', (socket) => {
      if (!socket.url().startsWith(`${server.wsUrl}/`)) complaints.push(`connected to ${socket.url()}`);
    });
    await page.goto(`${server.url}/${fragment}`);
    return { page, complaints };
  }

  beforeAll(async () => {
    port = await freePort();
    [server, browser] = await Promise.all([
      startDemo(),
      chromium.launch({
        ...(CHROMIUM === null ? {} : { executablePath: CHROMIUM }),
        args: [
          '--no-sandbox',
          '--disable-gpu',
          '--disable-quic',
          '--no-first-run',
          '--disable-sync',
          '--disable-background-networking',
          '--disable-component-update',
        ],
      }),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.end('SIGTERM');
    folder.remove();
  });

  // First, while the stream has seen no restart.
  test('can be pictured for the documentation', async () => {
    const { page, complaints } = await visit(DESKTOP, '#measurement=vehicle&field=velocity');
    await until('points', async () => (await pointsOf(page)) > 20);
    if (process.env['MILLRACE_WRITE_SCREENSHOT'] === '1') {
      await until('some minutes of data', async () => (await pointsOf(page)) > 900, 600_000);
      await mkdir('docs', { recursive: true });
      await page.screenshot({ path: 'docs/dashboard.png' });
    }
    const picture = await page.screenshot();
    expect(picture.length).toBeLessThan(300_000);
    expect(complaints).toEqual([]);
    await page.context().close();
  }, 660_000);

  test('shows what streams: numbers that move, lines that grow, and the latest values', async () => {
    const { page, complaints } = await visit(DESKTOP);
    await until('a live page', async () => (await textOf(page, '#status')) === 'Live');
    await until('points of history and live', async () => (await pointsOf(page)) > 20);
    expect(await page.locator('#devices li[data-slot]').count()).toBe(5);
    expect(await textOf(page, '#chart-title')).toBe('Temperature, °C');
    const before = { total: await textOf(page, '#total'), points: await pointsOf(page) };
    await until('more points', async () => (await pointsOf(page)) > before.points);
    await until('another count of readings', async () => (await textOf(page, '#total')) !== before.total);
    await until('readings per second', async () => Number(await textOf(page, '#rate')) > 5);
    await until(
      'every device in the table',
      async () => (await page.locator('#latest-body tr').count()) === 12,
    );
    expect(
      Number(await page.locator('#latest-body tr').first().locator('td').nth(1).textContent()),
    ).not.toBeNaN();
    expect(await linesOf(page)).toBeGreaterThanOrEqual(4);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('draws what is chosen, by mouse and by keyboard, and the address keeps it', async () => {
    const { page, complaints } = await visit(DESKTOP);
    await until('the measurements', async () => (await page.locator('#measurement option').count()) === 3);
    await page.selectOption('#measurement', 'vehicle');
    await page.selectOption('#field', 'velocity');
    await page.getByRole('radio', { name: '5 min', exact: true }).check();
    await page.fill('#device-search', '0006');
    await page.locator('#devices li:not([data-slot]) input').focus();
    await page.keyboard.press('Space');
    await until('the sixth truck', async () => (await page.locator('#devices li[data-slot]').count()) === 6);
    await until('its newest value', async () => /^\d/.test(await valueOf(page, 'vehicle-0006')));
    expect(await textOf(page, '#chart-title')).toBe('Velocity, km/h');
    await page.focus('#chart');
    await page.keyboard.press('ArrowLeft');
    await until('values read out', async () =>
      (await textOf(page, '#chart-readout')).includes('vehicle-0006'),
    );
    await page.keyboard.press('Escape');
    await until('the read-out to end', async () => (await textOf(page, '#chart-readout')) === '');

    await page.reload();
    await until('the same chart again', async () => (await pointsOf(page)) > 0);
    expect(await textOf(page, '#chart-title')).toBe('Velocity, km/h');
    expect(await page.locator('#devices li[data-slot]').count()).toBe(6);
    expect(await page.locator('input[name=window]:checked').getAttribute('value')).toBe('5m');
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('stands still while it is paused, and catches up', async () => {
    const { page } = await visit(DESKTOP);
    await until('points', async () => (await pointsOf(page)) > 0);
    await page.getByRole('button', { name: 'Pause' }).click();
    await until('a paused page', async () => (await textOf(page, '#status')) === 'Paused');
    // A frame that was due already may still be drawn.
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    const paused = await pointsOf(page);
    const other = await visit(DESKTOP);
    await until('more points elsewhere', async () => (await pointsOf(other.page)) > paused + 5);
    expect(await pointsOf(page)).toBe(paused);
    await page.getByRole('button', { name: 'Resume' }).click();
    expect(await page.getByRole('button', { name: 'Pause' }).count()).toBe(1);
    await until('more points here', async () => (await pointsOf(page)) > paused);
    await page.context().close();
    await other.page.context().close();
  });

  test('fits a phone without scrolling sideways', async () => {
    const { page, complaints } = await visit(PHONE, '#measurement=vehicle&field=velocity');
    await until('points', async () => (await pointsOf(page)) > 0);
    await until('a table', async () => (await page.locator('#latest-body tr').count()) > 0);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await page.getByRole('button', { name: 'Pause' }).isVisible()).toBe(true);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('is light or dark as the system is, until somebody chooses', async () => {
    const ground = (page: Page): Promise<string> =>
      page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await visit(DESKTOP);
    const dark = await visit({ ...DESKTOP, colorScheme: 'dark' });
    const [lightGround, darkGround] = await Promise.all([ground(light.page), ground(dark.page)]);
    expect(lightGround).not.toBe(darkGround);
    await dark.page.getByRole('button', { name: 'Dark theme' }).click();
    expect(await ground(dark.page)).toBe(lightGround);
    await dark.page.reload();
    expect(await ground(dark.page)).toBe(lightGround);
    await light.page.context().close();
    await dark.page.context().close();
  });

  test('says that the store is away while live goes on', async () => {
    const { page } = await visit(DESKTOP);
    await page.route('**/v1/stats', async (route) => {
      const answer = await route.fetch();
      const stats = (await answer.json()) as Record<string, unknown>;
      const store = { kind: 'influxdb', state: 'down', reason: 'connection refused' };
      await route.fulfill({ json: { ...stats, store } });
    });
    await until('the notice', async () => (await textOf(page, '#status')) === 'Store away');
    expect(await textOf(page, '#notice')).toContain('history is not readable, live goes on');
    const points = await pointsOf(page);
    await until('points all the same', async () => (await pointsOf(page)) > points);
    await page.unroute('**/v1/stats');
    await page.context().close();
  });

  test('that is opened while the store is away finds devices by what they send, and draws them', async () => {
    const { page } = await visit(DESKTOP, '#measurement=power', (opened) =>
      opened.route('**/v1/devices*', (route) =>
        route.fulfill({
          status: 503,
          json: { code: 'store_unavailable', title: 'x', detail: 'x', status: 503 },
        }),
      ),
    );
    await until('points', async () => (await pointsOf(page)) > 0);
    await until('its devices', async () => (await page.locator('#devices li[data-slot]').count()) === 4);
    await page.context().close();
  });

  test('says that a measurement of texts cannot be drawn, under its own title', async () => {
    const { page } = await visit(DESKTOP, '#measurement=door_log', (opened) =>
      opened.route('**/v1/measurements', async (route) => {
        const { measurements } = (await (await route.fetch()).json()) as { measurements: object[] };
        const fields = [{ name: 'state', type: 'string', unit: null, doc: null }];
        const door = { name: 'door_log', doc: null, tags: [], fields, subjects: [] };
        await route.fulfill({ json: { measurements: [...measurements, door] } });
      }),
    );
    await until('the words', async () =>
      (await textOf(page, '#chart-empty')).startsWith('door log has no number'),
    );
    expect(await textOf(page, '#chart-title')).toBe('Door log');
    await page.context().close();
  });

  test.each([390, 1_280])('covers no number with the trace, %d px wide', async (width) => {
    const { page } = await visit({ viewport: { width, height: 800 } }, '', (opened) =>
      opened.route('**/v1/stats', async (route) => {
        const stats = (await (await route.fetch()).json()) as object;
        await route.fulfill({ json: { ...stats, readings: { perSecond: 888_888, total: 888_888_888_888 } } });
      }),
    );
    await until('the rate', async () => (await textOf(page, '#rate')) === '888,888');
    const boxes = await Promise.all(
      ['#rate', '.flow .unit', '#total', '.trace'].map((selector) =>
        page.locator(selector).first().boundingBox(),
      ),
    );
    const trace = boxes.pop();
    for (const box of boxes)
      expect((box?.x ?? 0) + (box?.width ?? Infinity)).toBeLessThanOrEqual(trace?.x ?? 0);
    await page.context().close();
  });

  test('reconnects by itself when the server comes back, with the lines of before', async () => {
    const { page } = await visit(DESKTOP);
    await until('points', async () => (await pointsOf(page)) > 20);
    const before = await pointsOf(page);
    expect(await server.end('SIGTERM')).toBe(0);
    await until('the notice', async () => (await textOf(page, '#status')) === 'Reconnecting…');
    expect(await pointsOf(page)).toBeGreaterThanOrEqual(before);
    server = await startDemo();
    await until('a live page', async () => (await textOf(page, '#status')) === 'Live', 40_000);
    await until('new points after the old ones', async () => (await pointsOf(page)) > before + 5);
    expect(await page.locator('#notice').isHidden()).toBe(true);
    await page.context().close();
  });
});

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).textContent()) ?? '';
}

async function pointsOf(page: Page): Promise<number> {
  return Number(await page.locator('#chart').getAttribute('data-points'));
}

function valueOf(page: Page, device: string): Promise<string> {
  return textOf(page, `#devices label[title="${device}"] .device-value`);
}

/** How many of the eight line colours are to be seen in the chart's pixels. */
async function linesOf(page: Page): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector('#chart canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add(data[i] + ',' + data[i + 1] + ',' + data[i + 2]);
    const colours = [...document.querySelectorAll('#devices [data-slot] .swatch')];
    return colours.filter((swatch) => {
      const [r, g, b] = getComputedStyle(swatch).backgroundColor.match(/\\d+/g);
      return seen.has(r + ',' + g + ',' + b);
    }).length;
  })()`);
}
