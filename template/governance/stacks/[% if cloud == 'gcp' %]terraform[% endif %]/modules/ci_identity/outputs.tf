output "email" {
  description = "Address of the account."
  value       = google_service_account.ci.email
}

output "member" {
  description = "The account as a principal of IAM."
  value       = google_service_account.ci.member
}

output "subjects" {
  description = "Principals of the pool that can be the account."
  value       = [for job in google_service_account_iam_member.job : job.member]
}
