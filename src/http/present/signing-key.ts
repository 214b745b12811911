import type { z } from 'zod'
import type { SigningKey } from '../../contract/signing-keys.ts'
import type { SigningKeyState } from '../../keys/signing-keys.ts'

export function presentSigningKey(key: SigningKeyState): z.output<typeof SigningKey> {
  const { id, purpose, phase, activeFrom, verifyUntil } = key
  return { id, purpose, phase, activeFrom: activeFrom.toISOString(), verifyUntil: verifyUntil?.toISOString() ?? null }
}
