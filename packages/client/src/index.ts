export { passwordProvider, type PasswordProvider, type PasswordProviderOptions } from './password-provider.ts'
export { CredentialError } from './credential-error.ts'
export { loginErrorOf, type LoginError, type LoginErrorReason } from './login-error.ts'
