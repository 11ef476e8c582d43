import { type Browser, chromium, type Page } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { useFront } from '../helpers/front.ts';
import { findProgram } from '../helpers/programs.ts';
import { type DiscoveryProcess, eventually, registerService, startDiscoveryProcess } from './helpers.ts';

const executablePath = findProgram('chromium');
if (!executablePath)
  console.warn('SKIPPED: Chromium is not installed, so the dashboard was not opened in a browser.');

const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };

async function openDashboard(
  { url }: Pick<DiscoveryProcess, 'url'>,
  viewport: { width: number; height: number },
) {
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
  test('shows instances as they come and change, without a reload, and takes what they say as text', async () => {
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

  describe('beside a gateway', () => {
    const front = useFront();
    const federation =
      'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
    const greeter = {
      name: 'greeter',
      typeDefs: `${federation} type Query { hello: String }`,
      resolvers: { Query: { hello: () => 'hi' } },
      metadata: { subgraph: 'greeter', 'schema.hash': 'v1' },
    };
    const card = (page: Page) => textOf(page, '#graph');
    const open = () => openDashboard({ url: front.registryUrl.replace(/eureka$/, '') }, desktop);

    test('shows what a subgraph contributes, and whether its last composition succeeded', async () => {
      await (await front.serve(greeter)).register();
      const other = `${federation} type Query { other: String }`;
      await (await front.serve({ name: 'other', typeDefs: other, resolvers: {} })).register();
      const { page, problems } = await open();
      await eventually(async () => expect(await card(page)).toContain('composed'), 15_000);
      await page.locator('#graph').getByRole('button', { name: 'greeter' }).click();
      const shown = await textOf(page, 'dialog');
      expect(shown).toMatch(/Subgraph greeter.*composed.*In the graph\s*v1.*Query\.hello/s);
      await page.keyboard.press('Escape');

      const broken = await front.serve({
        ...greeter,
        instance: 'broken',
        typeDefs: `${federation} type Query { hello: String other: Int }`,
        metadata: { subgraph: 'greeter', 'schema.hash': 'v2' },
      });
      await broken.register();
      await eventually(async () => expect(await card(page)).toContain('last composition failed'), 15_000);
      await page.locator('#graph').getByRole('button', { name: 'greeter' }).click();
      expect(await textOf(page, 'dialog')).toMatch(
        /last composition failed.*'greeter' at v2 is held back.*Query\.other.*In the graph\s*v1/s,
      );
      await page.keyboard.press('Escape');

      const { launch } = await front.supergraph();
      await front.actuator('supergraph', { method: 'POST', body: JSON.stringify({ rollBackTo: launch }) });
      await eventually(async () => expect(await card(page)).toContain('pinned'), 15_000);
      expect(problems).toEqual([]);
    });
  });

  test('fits on a phone', async () => {
    const discovery = await startDiscoveryProcess();
    const service = 'a-service-with-a-name-that-is-much-longer-than-the-screen-of-a-phone-is-wide';
    await registerService({ urls: [discovery.eureka], service, port: 4_001 });
    const { page, problems } = await openDashboard(discovery, phone);
    await eventually(async () => expect(await textOf(page, '#applications')).toContain(service));
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(phone.width);
    expect(problems).toEqual([]);
  });
});
