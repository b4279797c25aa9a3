using System.Linq;
using Unity.InferenceEngine;
using UnityEditor.AssetImporters;
using UnityEngine;

/// Keeps the metadata of our ONNX files, which a model's asset does not hold, as ModelFacts beneath it.
public class ModelFactsImporter : IONNXMetadataImportCallbackReceiver
{
    const string Producer = "speech-driven-expressions";
    static readonly string[] Names = { "channels", "fps", "sample_rate", "flush_samples" };

    public void OnMetadataImported(AssetImportContext context, ONNXModelMetadata metadata)
    {
        if (metadata.ProducerName != Producer || !Names.All(metadata.MetadataProps.ContainsKey))
            return;  // another's, or one that hears whole sounds
        var facts = ScriptableObject.CreateInstance<ModelFacts>();
        var told = Names.Select(name => $"\"{name}\": {metadata.MetadataProps[name]}");
        JsonUtility.FromJsonOverwrite("{" + string.Join(", ", told) + "}", facts);
        facts.name = "Facts";
        context.AddObjectToAsset("facts", facts);
    }
}
