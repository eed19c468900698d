output "ids" {
  description = "Full name of each secret in Secret Manager, by its name here."
  value       = { for name, secret in google_secret_manager_secret.this : name => secret.secret_id }
}
