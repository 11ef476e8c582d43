import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const chromiumPath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

describe('the explorers', () => {
  const shop = useSystem();
  const origin = () => new URL(shop.system.graphUrl).origin;

  test('Apollo Sandbox is the landing page, preset with this graph', async () => {
    const response = await fetch(`${origin()}/`);
    expect(response.headers.get('content-type')).toContain('text/html');
    const html = await response.text();
    expect(html).toContain('embeddable-sandbox.umd.production.min.js');
    expect(html).toContain("initialEndpoint: location.origin + '/graphql'");
    expect(html).toContain(
      "initialSubscriptionEndpoint: location.origin.replace(/^http/, 'ws') + '/graphql'",
    );
    expect(html).toContain('subscription Notifications {');
    expect(html).toMatch(/"Authorization":"Bearer eyJ/);
  });

  test('the offline IDE is a page of the gateway, preset with the operations and the token', async () => {
    const page = await fetch(`${origin()}/ide`);
    expect(page.url).toBe(`${origin()}/ide/`);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    const [, settings = ''] =
      /<script type="application\/json" id="settings">(.*)<\/script>/.exec(html) ?? [];
    expect(JSON.parse(settings)).toEqual({
      document: expect.stringContaining('subscription Notifications {'),
      headers: { Authorization: expect.stringMatching(/^Bearer eyJ/) },
    });
    expect(html).not.toMatch(/https?:/);
  });

  test.each(['/', '/ide/'])(
    'the page %s is framed by nobody, and says where it came from to nobody',
    async path => {
      const { headers } = await fetch(`${origin()}${path}`);
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    },
  );

  test.each([
    ['page.js', 'application/javascript'],
    ['page.css', 'text/css'],
    ['editor.worker.js', 'application/javascript'],
    ['graphql.worker.js', 'application/javascript'],
    ['json.worker.js', 'application/javascript'],
  ])('%s of the offline IDE is served as %s', async (file, type) => {
    const asset = await fetch(`${origin()}/ide/${file}`);
    expect(asset.status).toBe(200);
    expect(asset.headers.get('content-type')).toContain(type);
    expect((await asset.text()).length).toBeGreaterThan(100);
  });

  test('a file that the offline IDE does not have is answered with 404', async () => {
    expect((await fetch(`${origin()}/ide/none.js`)).status).toBe(404);
  });

  describe.skipIf(!existsSync(chromiumPath))(
    `in Chromium (${existsSync(chromiumPath) ? chromiumPath : `skipped: there is no ${chromiumPath}; set CHROMIUM_PATH`})`,
    () => {
      let browser: Browser;
      beforeAll(async () => {
        browser = await chromium.launch({
          executablePath: chromiumPath,
          args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
        });
      });
      afterAll(() => browser.close());

      test('without internet the landing page goes on to the IDE', async () => {
        const { page, outside } = await openWithoutInternet(browser, origin());
        await page.goto(`${origin()}/`);
        await page.waitForURL(`${origin()}/ide/`);
        expect(new Set(outside)).toEqual(new Set(['embeddable-sandbox.cdn.apollographql.com']));
      });

      test('the IDE answers a query and shows live notifications, as whom its headers say', async () => {
        const { page, outside, complaints } = await openWithoutInternet(browser, origin());
        await page.goto(`${origin()}/ide/`);
        await page.getByText('query Catalogue').waitFor();
        await page.locator('.graphiql-editor-tool').getByText('Authorization').waitFor();
        await page.getByText('Bearer eyJ').first().waitFor();
        expect(await page.title()).toBe('Portico: GraphiQL');
        expect(await page.locator('#ide').textContent()).not.toMatch(/altair|sponsor|donate|advert|welcome/i);

        await run(page, 'Catalogue');
        await page.locator('.graphiql-response').getByText('"sku"').first().waitFor();

        await run(page, 'Notifications');
        await expectNotification(page, 'alice');

        await page.getByRole('button', { name: 'Stop' }).click();
        await pasteHeaders(page, { Authorization: `Bearer ${await shop.system.keys.mintToken('bob')}` });
        await run(page, 'Notifications');
        await expectNotification(page, 'bob');

        await page.reload();
        await page.getByText('Bearer eyJ').first().waitFor();
        expect(outside).toEqual([]);
        expect(complaints).toEqual([]);
      });
    },
  );

  /** Orders until the page shows what was ordered: an order before the subscription has begun is not shown. */
  async function expectNotification(page: Page, customer: string) {
    const client = await shop.client(customer);
    const quantity = customer === 'alice' ? 1 : 2;
    const message = page.locator('.graphiql-response').getByText(`Your order of ${quantity} piece`);
    await expect
      .poll(
        async () => {
          await placedOrderId(client, [{ sku: 'MUG-BLACK', quantity }]);
          return message.count();
        },
        { timeout: 10_000, interval: 500 },
      )
      .toBeGreaterThan(0);
  }
});

/** A page for which there is no internet, with the hosts that it asked for and what it wrote to the console as errors. */
async function openWithoutInternet(browser: Browser, origin: string) {
  const page = await browser.newPage();
  const outside: string[] = [];
  const complaints: string[] = [];
  await page.context().route('**/*', route => {
    const url = new URL(route.request().url());
    if (url.origin === origin || url.protocol === 'data:') return route.continue();
    outside.push(url.hostname);
    return route.abort();
  });
  page.on('websocket', socket => {
    const { host, hostname } = new URL(socket.url());
    if (host !== new URL(origin).host) outside.push(hostname);
  });
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(error.message));
  return { page, outside, complaints };
}

/** Runs one of the operations of the document. */
async function run(page: Page, operation: string) {
  await page.getByRole('button', { name: 'Execute' }).click();
  await page.getByRole('menuitem', { name: operation }).click();
}

/** Pastes headers over those in the editor: Monaco would close quotes by itself in what is typed. */
async function pasteHeaders(page: Page, headers: Readonly<Record<string, string>>) {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.locator('.graphiql-editor-tool').getByText('Authorization').click();
  await page.keyboard.press('ControlOrMeta+A');
  const text = JSON.stringify(JSON.stringify(headers));
  await page.evaluate(`navigator.clipboard.writeText(${text})`);
  await page.keyboard.press('ControlOrMeta+V');
}
