import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, describe, expect, test } from 'vitest';
import { placedOrderId } from '../helpers/shop.ts';
import { useSystem } from '../helpers/system.ts';

const chromiumPath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

describe('the explorers', () => {
  const shop = useSystem({
    env: { EXPLORER_DOCUMENT_FILE: join(import.meta.dirname, 'notifications.graphql') },
  });
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

  test('the offline IDE is served from files of the gateway', async () => {
    const page = await fetch(`${origin()}/ide`);
    expect(page.url).toBe(`${origin()}/ide/`);
    const html = await page.text();
    const [, script = ''] = /<script type="module" src="([^"]+\.js)"/.exec(html) ?? [];
    const asset = await fetch(new URL(script, `${origin()}/ide/`));
    expect(asset.status).toBe(200);
    expect(asset.headers.get('content-type')).toContain('javascript');
  });

  describe.skipIf(!existsSync(chromiumPath))(
    `in Chromium (${existsSync(chromiumPath) ? chromiumPath : `skipped: there is no ${chromiumPath}; set CHROMIUM_PATH`})`,
    () => {
      const browser = existsSync(chromiumPath)
        ? chromium.launch({
            executablePath: chromiumPath,
            args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
          })
        : undefined;
      afterAll(async () => (await browser)?.close());

      test('without internet the landing page goes on to the IDE, which shows a live notification', async () => {
        const page = await (await browser)?.newPage();
        if (!page) throw new Error('unreachable');
        const outside: string[] = [];
        await page.route('**/*', route => {
          const url = new URL(route.request().url());
          if (url.origin === origin()) return route.continue();
          outside.push(url.hostname);
          return route.abort();
        });
        await page.goto(`${origin()}/`);
        await page.waitForURL(`${origin()}/ide/`);
        expect(new Set(outside)).toEqual(new Set(['embeddable-sandbox.cdn.apollographql.com']));

        await page.getByRole('button', { name: 'Send Request' }).click();
        const alice = await shop.client('alice');
        await expect
          .poll(
            async () => {
              await placedOrderId(alice, [{ sku: 'MUG-BLACK', quantity: 1 }]);
              return page.getByText('Your order of 1 piece for EUR 14.50 was placed.').count();
            },
            { timeout: 10_000, interval: 500 },
          )
          .toBeGreaterThan(0);
        expect(await page.getByText('Stoneware mug, black').count()).toBeGreaterThan(0);
      });
    },
  );
});
