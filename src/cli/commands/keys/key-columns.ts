import type { z } from 'zod'
import type { SigningKey } from '../../../contract/signing-keys.ts'
import { shownTime } from '../../output.ts'
import type { Column } from '../../table.ts'

/** What a person sees of signing keys. */
export const keyColumns: readonly Column<z.infer<typeof SigningKey>>[] = [
  { title: 'PURPOSE', text: (key) => key.purpose.replace('_', ' ') },
  { title: 'PHASE', text: (key) => key.phase },
  { title: 'ACTIVE FROM', text: (key) => shownTime(key.activeFrom) },
  { title: 'VERIFIES UNTIL', text: (key) => (key.verifyUntil === null ? '-' : shownTime(key.verifyUntil)) },
]
