import { type Browser, chromium, type Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type DiscoveryProcess,
  eventually,
  findProgram,
  registerService,
  startDiscoveryProcess,
} from './helpers.ts';

const executablePath = findProgram('chromium');
if (!executablePath)
  console.warn('SKIPPED: Chromium is not installed, so the dashboard was not opened in a browser.');

const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };

async function openDashboard({ url }: DiscoveryProcess, viewport: { width: number; height: number }) {
  const browser: Browser = await chromium.launch({
    executablePath: executablePath ?? '',
    args: ['--no-sandbox'],
  });
  onTestFinished(() => browser.close());
  const page = await browser.newPage({ viewport });
  const problems: string[] = [];
  page.on('pageerror', error => problems.push(error.message));
  page.on('console', message => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('request', request => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) problems.push(request.url());
  });
  await page.goto(url);
  return { page, problems };
}

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).allInnerTexts()).join('\n');
}

describe.skipIf(!executablePath)('The dashboard in a browser', () => {
  it('shows instances as they come and change, without a reload, and takes what they say as text', async () => {
    const discovery = await startDiscoveryProcess({ DISCOVERY_WARMUP_MS: '0' });
    const { page, problems } = await openDashboard(discovery, desktop);
    await eventually(async () =>
      expect(await textOf(page, '#applications')).toContain('Nobody has registered yet.'),
    );
    const version = '<img src=x onerror="document.title=1">';
    await registerService({
      urls: [discovery.eureka],
      port: 4_001,
      metadata: { version, subgraph: 'products' },
    });
    await eventually(
      async () => expect(await textOf(page, '#applications')).toContain('127.0.0.1:products:4001'),
      5_000,
    );
    expect(await textOf(page, '#applications')).toContain(version);
    expect(await page.title()).toBe('Registry');
    await fetch(`${discovery.eureka}/apps/PRODUCTS/127.0.0.1:products:4001/status?value=OUT_OF_SERVICE`, {
      method: 'PUT',
    });
    await eventually(
      async () => expect(await textOf(page, '#applications')).toContain('OUT_OF_SERVICE (set)'),
      5_000,
    );
    await eventually(async () =>
      expect(await textOf(page, '#changes')).toContain('changed status to OUT_OF_SERVICE'),
    );
    await page.getByRole('button', { name: 'subgraph products' }).click();
    expect(await textOf(page, 'dialog')).toContain('Subgraph products');
    expect(problems).toEqual([]);
  });

  it('fits on a phone', async () => {
    const discovery = await startDiscoveryProcess();
    const service = 'a-service-with-a-name-that-is-much-longer-than-the-screen-of-a-phone-is-wide';
    await registerService({ urls: [discovery.eureka], service, port: 4_001 });
    const { page, problems } = await openDashboard(discovery, phone);
    await eventually(async () => expect(await textOf(page, '#applications')).toContain(service));
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(phone.width);
    expect(problems).toEqual([]);
  });
});
