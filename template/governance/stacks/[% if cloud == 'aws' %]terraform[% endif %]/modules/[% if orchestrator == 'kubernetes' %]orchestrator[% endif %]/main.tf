locals {
  cluster_arn     = "arn:aws:eks:${var.region}:${var.account_id}:cluster/${var.cluster}"
  service_account = "${var.name}-steps"
}

# The identity that the steps run as: pods with this account, in this namespace of this cluster. The account itself is
# made by kubectl, as the README says.
resource "aws_iam_role" "steps" {
  name        = "${var.name}-steps"
  description = "What the steps of the pipelines run as"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "PodsOfTheNamespace"
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-arn"            = local.cluster_arn
          "aws:RequestTag/kubernetes-namespace"       = var.namespace
          "aws:RequestTag/kubernetes-service-account" = local.service_account
        }
      }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "steps" {
  for_each = var.policies

  role       = aws_iam_role.steps.name
  policy_arn = each.value
}

resource "aws_eks_pod_identity_association" "steps" {
  cluster_name    = var.cluster
  namespace       = var.namespace
  service_account = local.service_account
  role_arn        = aws_iam_role.steps.arn
}

# ---------------------------------------------------------------------------------------------------- who starts runs

# For ZenML's connector. CI is told where the cluster is, and EKS asks nothing more than an access entry of whoever logs in.
resource "aws_iam_policy" "find" {
  name        = "${var.name}-find"
  description = "Finds the cluster ${var.cluster}, in which access entries say the rest"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "FindCluster"
      Effect   = "Allow"
      Action   = "eks:DescribeCluster"
      Resource = local.cluster_arn
    }]
  })
}

resource "aws_eks_access_entry" "submitter" {
  for_each = var.submitters

  cluster_name  = var.cluster
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "submitter" {
  for_each = aws_eks_access_entry.submitter

  cluster_name  = var.cluster
  principal_arn = each.value.principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"

  access_scope {
    type       = "namespace"
    namespaces = [var.namespace]
  }
}
