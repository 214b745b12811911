import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import {
  type DemoReadyFile,
  type RunningPostern,
  startDemo,
  startPostern,
  temporaryFolder,
} from '../support/running-postern.ts'
import { runProgram } from '../support/running-program.ts'

const root = join(import.meta.dirname, '../..')

/** What `npm run build:binary` makes, away from the checkout and without node_modules. */
describeWith(['psql'], 'the single binary', () => {
  let folder: string
  let program: string
  beforeAll(async () => {
    folder = temporaryFolder('postern-binary-')
    const build = [join(root, 'tools/build-binary.ts'), '--out', join(folder, 'postern')]
    expect(await runProgram(join(root, 'node_modules/.bin/bun'), build, { env: {}, timeoutMs: 60_000 })).toMatchObject({
      code: 0,
    })
    program = join(folder, 'postern', 'postern')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const login = async (postern: RunningPostern, ready: DemoReadyFile) => {
    const { clientId, clientSecret } = ready.servicePrincipal
    const application = await postern.asServicePrincipal(clientId, clientSecret)
    const { token } = await application.expect<{ token: string }>('POST', '/api/2.0/database/credentials', {
      instance_names: [ready.instance],
    })
    const target = postern.libpqTarget(
      { gatewayHost: `${ready.instance}.postern.localhost` },
      { user: clientId, password: token, database: ready.database },
    )
    return psql(target, 'select count(*) from shop.book')
  }

  test('runs the demo, then serves its data: ready, a login, a backup, and an end with status 0', async () => {
    const dataDir = join(folder, 'data')
    const demo = await startDemo({ launcher: program, dataDir })
    const ready = demo.ready
    expect(await demo.stop()).toMatchObject({ code: 0 })

    const served = await startPostern({ launcher: program, dataDir })
    expect(await login(served, ready)).toMatchObject({ code: 0, stdout: '12\n' })
    const out = join(folder, 'backup')
    expect(await runProgram(program, ['backup', '--data-dir', dataDir, '--out', out], { env: {} })).toMatchObject({
      code: 0,
    })
    expect(existsSync(out)).toBe(true)
    const commands = readFileSync(`/proc/${served.pid}/cmdline`, 'utf8').split('\0')
    expect(commands[0]).toBe(program)
    expect(await served.stop()).toMatchObject({ code: 0 })
  })

  test('nothing in the folder that it is started in changes what it does', async () => {
    const cwd = temporaryFolder('postern-cwd-')
    writeFileSync(join(cwd, '.env'), 'POSTERN_HTTP_PORT=1\n')
    writeFileSync(join(cwd, 'bunfig.toml'), 'preload = ["./evil.ts"]\n')
    writeFileSync(join(cwd, 'evil.ts'), 'console.log("evil")\n')
    const printed = await runProgram(program, ['config', 'print'], { env: {}, cwd })
    rmSync(cwd, { recursive: true })
    expect(printed).toMatchObject({ code: 0, stdout: expect.stringMatching(/8080/) })
    expect(printed.stdout + printed.stderr).not.toMatch(/evil|POSTERN_HTTP_PORT/)
  })

  test('without postgres/ beside it, the sentence says what is missing', async () => {
    rmSync(join(folder, 'postern', 'postgres'), { recursive: true })
    const dataDir = join(folder, 'other')
    const args = ['serve', '--data-dir', dataDir, '--http-port', '0', '--gateway-port', '0']
    expect(await runProgram(program, args, { env: {} })).toMatchObject({
      code: 8,
      stderr: expect.stringContaining('Keep postgres/'),
    })
  })
})
