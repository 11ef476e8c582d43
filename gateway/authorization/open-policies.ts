import type { Logger } from '../../platform/log.ts';
import type { GatewayConfig } from '../config.ts';
import { type PolicySource, policiesByRules, readPolicyRules } from './policies.ts';
import { policiesByWebhook } from './policy-webhook.ts';

/** Opens what decides policies. Without settings, no policy is granted. @throws Error when the file can't be read, or both are set */
export async function openPolicies(config: GatewayConfig, log: Logger): Promise<PolicySource> {
  const { AUTHORIZATION_POLICIES_FILE: file, AUTHORIZATION_POLICIES_URL: url } = config;
  if (file && url)
    throw new Error(
      'AUTHORIZATION_POLICIES_FILE and AUTHORIZATION_POLICIES_URL are both set; policies are decided by one of them',
    );
  if (url) return policiesByWebhook(url, config, log);
  return policiesByRules(file ? await readPolicyRules(file) : {});
}
