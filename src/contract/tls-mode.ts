import { z } from 'zod'

/** How TLS to the database is verified. `verify-full` is the default; a weaker mode is asked for by name. */
export const TlsMode = z.enum(['disable', 'require', 'verify-ca', 'verify-full'])
export type TlsMode = z.infer<typeof TlsMode>
