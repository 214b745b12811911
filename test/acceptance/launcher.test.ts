import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { repositoryRoot } from '../support/repository.ts'
import { runProgram, startProgram } from '../support/running-program.ts'

const launcher = join(repositoryRoot, 'bin/postern')
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-launcher-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function run(command: string, args: readonly string[], cwd = folder, env = {}) {
  return runProgram(command, args, { env: { HOME: folder, ...env }, cwd })
}

/** A checkout without dependencies, and a main.ts that tells how it was started. */
function checkout(): string {
  const root = join(folder, 'a check out')
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'src'))
  cpSync(launcher, join(root, 'bin/postern'))
  writeFileSync(join(root, 'src/main.ts'), 'console.log(JSON.stringify(process.argv.slice(2)))\n')
  return root
}

describe('bin/postern', () => {
  test('works from any folder, through links to links, absolute and relative', async () => {
    mkdirSync(join(folder, 'bin'))
    symlinkSync(launcher, join(folder, 'absolute'))
    symlinkSync('../absolute', join(folder, 'bin/relative'))
    for (const command of [launcher, join(folder, 'absolute'), join(folder, 'bin/relative'), './bin/relative']) {
      expect(await run(command, ['version'])).toMatchObject({ code: 0, stdout: 'postern 0.1.0\n', stderr: '' })
    }
    expect(await run('sh', ['relative', 'version'], join(folder, 'bin'))).toMatchObject({
      code: 0,
      stdout: 'postern 0.1.0\n',
    })
  })

  test('hands every argument over as it was written', async () => {
    const root = checkout()
    symlinkSync(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'))
    const args = ['', 'two words', '--', '--help', '*', '$HOME', "it's"]
    expect(JSON.parse((await run(join(root, 'bin/postern'), args)).stdout)).toEqual(args)
  })

  test('says in one sentence what to do when the dependencies are not installed', async () => {
    const root = checkout()
    expect(await run(join(root, 'bin/postern'), ['version'])).toMatchObject({
      code: 69,
      stdout: '',
      stderr: `postern: its dependencies are not installed. Run \`npm ci\` in ${root} once.\n`,
    })
  })

  test('finds Bun where install scripts did not run, past what npm leaves in its place', async () => {
    const root = checkout()
    const placeholder = join(root, 'node_modules/bun/bin/bun.exe')
    const foreign = join(root, 'node_modules/@oven/bun-aaa/bin/bun')
    const real = join(root, 'node_modules/@oven/bun-linux/bin/bun')
    for (const file of [placeholder, foreign, real]) mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(placeholder, 'echo "postinstall script was not run" >&2; exit 1\n')
    // As large as a Bun, and for another machine: it does not start.
    writeFileSync(foreign, Buffer.alloc(2 * 1024 * 1024))
    for (const file of [placeholder, foreign]) chmodSync(file, 0o755)
    symlinkSync(join(repositoryRoot, 'node_modules/bun/bin/bun.exe'), real)
    expect(await run(join(root, 'bin/postern'), ['x'])).toMatchObject({ code: 0, stdout: '["x"]\n', stderr: '' })
  })

  test('is one process: a signal reaches Postern itself, and its exit status is that of Postern', async () => {
    const root = checkout()
    symlinkSync(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'))
    writeFileSync(
      join(root, 'src/main.ts'),
      "process.on('SIGTERM', () => process.exit(42))\nconsole.log(process.pid)\nsetInterval(() => undefined, 1000)\n",
    )
    const program = startProgram(join(root, 'bin/postern'), [], { env: {}, cwd: folder })
    while (program.stdout() === '') await new Promise((resolve) => setTimeout(resolve, 10))
    expect(Number(program.stdout())).toBe(program.pid)
    program.signal('SIGTERM')
    expect((await program.ended).code).toBe(42)
  })

  test('runs and reads nothing of the folder that it is typed in', async () => {
    writeFileSync(join(folder, 'bunfig.toml'), 'preload = ["./stranger.ts"]\n')
    writeFileSync(join(folder, 'stranger.ts'), "console.log('a stranger’s code ran')\n")
    writeFileSync(join(folder, '.env'), 'POSTERN_HOST=https://thief.example.test\n')
    const { stdout, stderr } = await run(launcher, ['whoami'])
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^postern: you are not signed in at http:\/\/127\.0\.0\.1:8080\./)
  })
})
