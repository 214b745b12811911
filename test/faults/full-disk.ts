import { execFileSync } from 'node:child_process'
import { chmodSync, closeSync, fdatasyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** A disk of a few kilobytes that a test can fill up: a tmpfs, which only root may mount. */
export class SmallDisk {
  readonly path: string
  readonly #unmountAtExit = (): void => this.unmount()

  private constructor(path: string) {
    this.path = path
  }

  /** Mounts one; undefined where that is not allowed (ordinary users, most containers). */
  static tryMount(path: string, sizeBytes: number): SmallDisk | undefined {
    mkdirSync(path, { recursive: true })
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'none', path], { stdio: 'ignore' })
    } catch {
      return undefined
    }
    chmodSync(path, 0o755)
    const disk = new SmallDisk(path)
    process.once('exit', disk.#unmountAtExit)
    return disk
  }

  /** Takes all the room that is left. */
  fill(): void {
    const file = openSync(this.#filler, 'a')
    const bytes = Buffer.alloc(4096)
    try {
      for (;;) writeSync(file, bytes)
    } catch {
      // ENOSPC: that is what was wanted.
    }
    fdatasyncSync(file)
    closeSync(file)
  }

  free(): void {
    rmSync(this.#filler, { force: true })
  }

  unmount(): void {
    process.off('exit', this.#unmountAtExit)
    execFileSync('umount', ['-l', this.path])
  }

  get #filler(): string {
    return join(this.path, 'filler')
  }
}
