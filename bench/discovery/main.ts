import { measurePropagation } from './propagation.ts';
import { startMeasuredRegistry } from './registry-process.ts';
import { measureRenewals } from './renewals.ts';

for (const measure of [measurePropagation, measureRenewals]) {
  const registry = await startMeasuredRegistry();
  try {
    await measure(registry);
  } finally {
    await registry.close();
  }
}
