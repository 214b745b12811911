import type { Secret } from '../../base/secret.ts'
import type { ReadyFacts } from '../ready-file.ts'
import { ControlPlaneApi } from './control-plane-api.ts'
import { demoInstance, openDemoSession } from './demo-session.ts'
import type { DemoServicePrincipal } from './prepare-demo.ts'

interface Step {
  readonly what: string
  readonly elapsedMs: number
}

export interface MainJob {
  readonly steps: readonly Step[]
  readonly rows: readonly Readonly<Record<string, string>>[]
}

const query = 'select month, purchases::text, revenue::text from shop.monthly_sales order by month desc limit 5'

/** What Postern is for, once: secret → access token → database credential → a query through the gateway. */
export async function runMainJob(ready: ReadyFacts, servicePrincipal: DemoServicePrincipal): Promise<MainJob> {
  const steps: Step[] = []
  async function timed<T>(what: string, work: Promise<T>): Promise<T> {
    const startedAt = performance.now()
    const result = await work
    steps.push({ what, elapsedMs: performance.now() - startedAt })
    return result
  }
  const { clientId, clientSecret } = servicePrincipal
  const api = await timed(
    'service principal exchanges its secret for an access token',
    ControlPlaneApi.asServicePrincipal(ready.httpUrl, clientId, clientSecret),
  )
  const credential: Secret = await timed(
    'access token buys a one-hour database credential',
    api.databaseCredential(demoInstance),
  )
  const session = await timed(
    'the credential, as password, opens a session through the gateway',
    openDemoSession(ready, { user: clientId, credential }),
  )
  try {
    const { rows } = await timed('a query runs', session.query<Record<string, string>>(query))
    return { steps, rows }
  } finally {
    await session.end()
  }
}
