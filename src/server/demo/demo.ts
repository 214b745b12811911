import { join } from 'node:path'
import type { Config } from '../../config/parse-config.ts'
import { openDataFolder, writeAtomically } from '../data-folder.ts'
import { nextFreePort } from '../probe-port.ts'
import type { ReadyFacts } from '../ready-file.ts'
import { serve } from '../serve.ts'
import { demoDatabase, demoInstance } from './demo-session.ts'
import { runMainJob } from './main-job.ts'
import { describeDemo } from './next-steps.ts'
import { prepareDemo } from './prepare-demo.ts'

/**
 * `postern demo`: serves like `postern serve`, with a sample instance and a service principal, runs the main job once and
 * says what to try next. It works through the same HTTP API and gateway as everybody else. A second start uses the same data.
 * A port that is taken is no obstacle: the next free one serves as well.
 * @param print gets what a person should read; log lines go to `postern.log` in the data folder
 */
export async function demo(given: Config, print: (text: string) => void): Promise<void> {
  const startedAt = performance.now()
  const config: Config = {
    ...given,
    httpPort: await freePort(given.httpHost, given.httpPort, '--http-port'),
    gatewayPort: await freePort(given.gatewayHost, given.gatewayPort, '--gateway-port'),
  }
  const folder = openDataFolder(config.dataDir).path
  print(`Starting Postern with its data in ${folder}\n`)
  for (const port of ['httpPort', 'gatewayPort'] as const) {
    if (config[port] !== given[port]) print(`  port ${given[port]} is taken: ${config[port]} serves instead\n`)
  }

  async function beforeReady(ready: ReadyFacts): Promise<object> {
    const servicePrincipal = await prepareDemo(ready, folder, (step) => print(`  ${step}\n`))
    const { clientId, clientSecret } = servicePrincipal
    const curlConfig = join(folder, 'demo-login.curl')
    writeAtomically(curlConfig, `user = "${clientId}:${clientSecret.reveal()}"\n`, 0o600)
    const job = await runMainJob(ready, servicePrincipal)
    print(describeDemo(ready, clientId, curlConfig, job, (performance.now() - startedAt) / 1000))
    return {
      instance: demoInstance,
      database: demoDatabase,
      servicePrincipal: { clientId, clientSecret: clientSecret.reveal() },
    }
  }

  await serve(config, {
    logFile: join(folder, 'postern.log'),
    beforeReady,
    whenDraining: () =>
      print(`\nStopping. Open sessions may end within ${config.drainTimeoutSeconds} s; Ctrl-C again ends them.\n`),
  })
  print(`Stopped. The data stays in ${folder}\n`)
}

/** 0 stays 0: whoever listens chooses then. */
async function freePort(host: string, port: number, option: string): Promise<number> {
  return port === 0 ? 0 : nextFreePort(host, port, option)
}
