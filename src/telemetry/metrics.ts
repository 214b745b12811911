import { AggregatorRegistry, Counter, Gauge, Histogram, type MetricObject, Registry } from 'prom-client'

/**
 * The figures of one process, for Prometheus. Every label has a bounded set of values: outcomes, routes as they are declared, numbers
 * of workers. Nothing that a caller chose is a label, and no figure tells of one principal or instance.
 */

/** As one process hands its figures to another. */
export type Figures = readonly MetricObject[]

/** What a process answers when it is asked for its figures. */
export interface ProcessMetrics {
  figures(): Promise<Figures>
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** What is read at the moment of asking. */
export interface GatewayState {
  readonly sessions: number
  readonly socketsBeforeLogin: number
  readonly bytesFromClients: number
  readonly bytesFromDatabases: number
  readonly spoolBytes: number
  readonly setAside: number
}

/** Figures of a gateway worker. */
export class GatewayMetrics implements ProcessMetrics {
  readonly #registry = new Registry()
  readonly #logins: Counter
  readonly #loginSeconds: Histogram
  readonly #storeSeconds: Histogram
  readonly #sessions: Gauge
  readonly #sockets: Gauge
  readonly #bytes: Counter
  readonly #spool: Gauge
  readonly #setAside: Counter
  #state: (() => GatewayState) | undefined

  /** @param worker its number, from 1: a worker that starts anew begins its own counters anew */
  constructor(worker: number) {
    this.#registry.setDefaultLabels({ worker: String(worker) })
    const registers = [this.#registry]
    this.#logins = new Counter({
      name: 'postern_logins_total',
      help: 'Logins by outcome: allowed, denied, or failed for a fault of ours or of a database.',
      labelNames: ['outcome'],
      registers,
    })
    this.#loginSeconds = new Histogram({
      name: 'postern_login_seconds',
      help: 'From the startup message to the open session, of logins that led to one.',
      buckets: SECONDS,
      registers,
    })
    this.#storeSeconds = new Histogram({
      name: 'postern_login_store_seconds',
      help: 'What a login waits for the metadata store to answer its question.',
      buckets: SECONDS,
      registers,
    })
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
    const counter = (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name, help, labelNames, registers })
    this.#sessions = gauge('postern_sessions', 'Open sessions.')
    this.#sockets = gauge('postern_sockets_before_login', 'Sockets that have not logged in.')
    this.#bytes = counter('postern_relayed_bytes_total', 'Bytes relayed, from clients and from databases.', ['from'])
    this.#spool = gauge('postern_audit_spool_bytes', 'Audit records that wait for the metadata store.')
    this.#setAside = counter('postern_audit_set_aside_total', 'Audit records that the metadata store refused for good.')
    for (const outcome of ['allowed', 'denied', 'failed']) this.#logins.inc({ outcome }, 0)
  }

  /** Where the figures of the moment come from. */
  watch(state: () => GatewayState): void {
    this.#state = state
  }

  loginEnded(outcome: 'allowed' | 'denied' | 'failed', elapsedMs: number): void {
    this.#logins.inc({ outcome })
    if (outcome === 'allowed') this.#loginSeconds.observe(elapsedMs / 1000)
  }

  storeAnswered(elapsedMs: number): void {
    this.#storeSeconds.observe(elapsedMs / 1000)
  }

  figures(): Promise<Figures> {
    const state = this.#state?.()
    if (state !== undefined) {
      this.#sessions.set(state.sessions)
      this.#sockets.set(state.socketsBeforeLogin)
      this.#bytes.reset()
      this.#bytes.inc({ from: 'clients' }, state.bytesFromClients)
      this.#bytes.inc({ from: 'databases' }, state.bytesFromDatabases)
      this.#spool.set(state.spoolBytes)
      this.#setAside.reset()
      this.#setAside.inc(state.setAside)
    }
    return this.#registry.getMetricsAsJSON()
  }
}

/** Figures of the control plane. */
export class HttpMetrics implements ProcessMetrics {
  readonly #registry = new Registry()
  readonly #seconds: Histogram

  constructor() {
    this.#seconds = new Histogram({
      name: 'postern_http_request_seconds',
      help: 'Answered requests by route and status; database credentials are POST /api/2.0/database/credentials.',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers: [this.#registry],
    })
  }

  /** @param route as it is declared, with the names of its parameters; never the path that was asked for */
  answered(answer: { method: string; route: string; status: number }, elapsedMs: number): void {
    const { method, route, status } = answer
    this.#seconds.observe({ method, route, status: `${Math.floor(status / 100)}xx` }, elapsedMs / 1000)
  }

  figures(): Promise<Figures> {
    return this.#registry.getMetricsAsJSON()
  }
}

/** The figures of several processes in the text format of Prometheus: counters and gauges of the same labels are added up. */
export function renderFigures(ofProcesses: readonly Figures[]): Promise<string> {
  return AggregatorRegistry.aggregate(ofProcesses as MetricObject[][]).metrics()
}

/** The content type of {@link renderFigures}. */
export const FIGURES_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE
