import type { Noun } from '../../verb.ts'
import { verb as change } from './change.ts'
import { verb as redeemReset } from './redeem-reset.ts'

export const password: Noun = {
  name: 'password',
  summary: 'Your own password',
  verbs: [change, redeemReset],
}
