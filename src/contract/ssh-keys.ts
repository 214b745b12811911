import { z } from 'zod'
import { nextPageToken } from './paging.ts'

export const CreateSshKeyInput = z.strictObject({ title: z.string().max(200).optional() })
export type CreateSshKeyInput = z.infer<typeof CreateSshKeyInput>

/** A key pair that Postern made. Its private half never leaves. */
export const SshKey = z.object({
  id: z.uuid(),
  title: z.string(),
  publicKey: z.string().describe('Line for authorized_keys of the SSH server.'),
  createdAt: z.iso.datetime(),
  usedBy: z.array(z.string()).describe('INSTANCE/DATA-SOURCE of each data source that logs in with it.'),
})
export type SshKey = z.infer<typeof SshKey>

export const SshKeyList = z.object({ sshKeys: z.array(SshKey), nextPageToken })
