import type { z } from 'zod'
import type { SigningKey } from '../../../contract/signing-keys.ts'
import type { Cli } from '../../cli.ts'
import { showList, shownTime } from '../../output.ts'
import type { Column } from '../../table.ts'

type Key = z.infer<typeof SigningKey>

const columns: readonly Column<Key>[] = [
  { title: 'PURPOSE', text: (key) => key.purpose.replace('_', ' ') },
  { title: 'PHASE', text: (key) => key.phase },
  { title: 'ACTIVE FROM', text: (key) => shownTime(key.activeFrom) },
  { title: 'VERIFIES UNTIL', text: (key) => (key.verifyUntil === null ? null : shownTime(key.verifyUntil)) },
]

/** Shows signing keys by purpose, each in the order in which they take over. */
export function showKeys(cli: Cli, keys: readonly Key[]): void {
  const order = (key: Key) => `${key.purpose} ${key.activeFrom}`
  const sorted = keys.toSorted((one, other) => order(one).localeCompare(order(other)))
  showList(cli, sorted, columns, 'There are no signing keys.')
}
