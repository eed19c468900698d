output "email" {
  description = "Address of the account."
  value       = google_service_account.ci.email
}

output "member" {
  description = "The account as a principal of IAM."
  value       = google_service_account.ci.member
}
