import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { rootDir } from '../../dev/settings.ts';

/** Folder of Prometheus's configuration. */
export const prometheusDir = join(rootDir, 'monitoring', 'prometheus');

/** A PromQL expression of the project, and whose it is. */
export interface Expression {
  /** Title of a panel, or name of an alert. */
  readonly name: string;
  readonly expr: string;
}

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: Readonly<Record<string, string>>;
      readonly labels: { readonly severity: string };
    }[];
  }[];
}

interface RuleTests {
  readonly tests: readonly {
    readonly alert_rule_test: readonly {
      readonly alertname: string;
      readonly exp_alerts: readonly unknown[];
    }[];
  }[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly datasource?: { readonly uid: string };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** The alert rules. */
export async function readAlerts() {
  const { groups } = parse(await readFile(join(prometheusDir, 'alerts.yml'), 'utf8')) as Rules;
  return groups.flatMap(({ rules }) => rules);
}

/** Names of the alerts that a rule test expects to fire. */
export async function readTestedAlerts(): Promise<Set<string>> {
  const { tests } = parse(await readFile(join(prometheusDir, 'alerts.test.yml'), 'utf8')) as RuleTests;
  const firing = tests
    .flatMap(test => test.alert_rule_test)
    .filter(({ exp_alerts }) => exp_alerts.length > 0);
  return new Set(firing.map(({ alertname }) => alertname));
}

/** The dashboard. */
export async function readDashboard(): Promise<Dashboard> {
  const file = join(rootDir, 'monitoring', 'grafana', 'dashboards', 'portico.json');
  return JSON.parse(await readFile(file, 'utf8')) as Dashboard;
}

/** Every expression of the dashboard, with what Grafana would put in for its variables. */
export async function dashboardExpressions(): Promise<Expression[]> {
  const { panels } = await readDashboard();
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      name: title,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$service', '.*'),
    })),
  );
}

/** Names of this project's and Node's metrics in an expression, without the suffixes of a histogram's series. */
export function metricsIn(expr: string): string[] {
  const names =
    expr.match(/\b(?:http|gateway|circuitbreaker|events|outbox|discovery|nodejs|process)_\w+/g) ?? [];
  return names.map(name => name.replace(/_(?:bucket|count|sum)$/, ''));
}
